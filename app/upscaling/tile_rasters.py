"""Restored tiles as files, with maps of whose detail they show beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from affine import Affine
from torch import Tensor

from preprocessing.pairs.store import Pairs
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import write_cog
from sr.evaluation.correctness import correctness
from sr.evaluation.restorers import NETWORK
from sr.training.degradations import area_downsample

__all__ = ["TILE_MAPS", "write_tile_rasters"]

TILE_MAPS = ("improvement", "omission", "hallucination", "consistency")


def write_tile_rasters(
    folder: Path, pairs: Pairs, restored: Mapping[str, Tensor], truth: Tensor, low: Tensor
) -> list[Path]:
    """Write what the network made of tiles, and maps on the same pixels.

    `NAME.tif` is the picture, 8 bit; `NAME.maps.tif` has the bands `TILE_MAPS` as
    float32: the shares of `sr.evaluation.correctness`, NaN where there is no detail to judge, and
    the absolute difference of the 4x4 means to the input, mean over bands, in grey levels. NAME
    is the source of the pair with its row and column. Tiles of a store have no georeference.

    Args:
        folder: Is made.
        pairs: The tiles' labels.
        restored: Pictures `(b, 3, h, w)` by method.
        truth: `(b, 3, h, w)`.
        low: `(b, 3, h / 4, w / 4)`.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    height, width = truth.shape[-2:]
    grid, whole = Grid(height, width, Affine.identity()), Window(0, 0, height, width)
    written = []
    picture = restored[NETWORK]
    shares = correctness(picture, truth, low)
    scale = height // low.shape[-2]
    missing = (area_downsample(picture, scale) - low).abs().mean(dim=1)
    off = 255 * missing.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    maps = torch.stack(
        [shares.improvement, shares.omission, shares.hallucination, off], dim=1
    ).numpy()
    pixels = (255 * picture.clamp(0, 1)).round().byte().numpy()
    for i, source in enumerate(pairs.source.tolist()):
        name = f"{source.replace('/', '_')}_{pairs.row[i]}_{pairs.col[i]}"
        written.append(
            write_cog(
                folder / f"{name}.tif",
                grid,
                [(whole, pixels[i], None)],
                count=3,
                dtype="uint8",
                nodata=None,
            )
        )
        written.append(
            write_cog(
                folder / f"{name}.maps.tif",
                grid,
                [(whole, maps[i].astype(np.float32), None)],
                count=len(TILE_MAPS),
                dtype="float32",
                nodata=float("nan"),
                descriptions=TILE_MAPS,
            )
        )
    return written
