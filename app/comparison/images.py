"""The images of a study: found, checked, read, degraded."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from app.comparison.request import LEAST_PX, SCALE, ComparisonRequest, Level
from preprocessing.errors import MissingFileError, NoValidPixelsError, RequestError
from preprocessing.grid import Window
from preprocessing.image_folder import RASTER_SUFFIXES
from preprocessing.io import RasterSource
from preprocessing.opening import is_local

__all__ = ["Image", "StudyImage", "degrade", "find_images"]

Image = NDArray[np.float32]
"""`(h, w, 3)`, 0..1."""


@dataclass(frozen=True)
class StudyImage:
    """An opened image and the part of it that is used.

    Attributes:
        name: Unique in the study, fit for a file name.
        source: The opened file.
        window: Its middle, sides multiples of 4.
    """

    name: str
    source: RasterSource
    window: Window

    def read(self) -> Image:
        """The pixels of the window.

        Raises:
            NoValidPixelsError: Some are nodata or masked.
        """
        raster = self.source.read(self.window)
        if not raster.valid.all():
            share = 1 - raster.valid.mean()
            raise NoValidPixelsError(
                f"expected an image without gaps, {100 * share:.1f} % of the middle "
                f"{self.window.width} x {self.window.height} pixels of {self.source.path} are "
                "nodata or masked; use a smaller --crop or leave it out"
            )
        return np.ascontiguousarray(raster.data.transpose(1, 2, 0)).clip(0, 1)


def find_images(names: Sequence[str], request: ComparisonRequest) -> list[StudyImage]:
    """Open files, and all rasters in folders and their folders, in order; nothing is read yet.

    Raises:
        MissingFileError: There is nothing of a name, or a folder holds no rasters.
        RequestError: A file cannot be read, is too small, or comes twice.
    """
    paths = [path for name in names for path in _expanded(name)]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise RequestError(f"expected each image once, got {twice[0]} more than once")
    found: list[StudyImage] = []
    for path in paths:
        source = request.reading.open(path)
        stem = Path(source.name).stem
        taken = {image.name for image in found}
        others = (f"{stem}_{number}" for number in count(2))
        name = next(name for name in chain([stem], others) if name not in taken)
        found.append(StudyImage(name, source, _middle(source, request.crop_px)))
    return found


def degrade(image: Image, level: Level, request: ComparisonRequest, *, name: str) -> Image:
    """The low-resolution image `(h / 4, w / 4, 3)`; its noise is the same at every level."""
    # A generator of the CPU takes 32 bits of a seed and ignores the rest.
    mixed = zlib.crc32(name.encode(), request.seed % 2**32)
    generator = torch.Generator().manual_seed(mixed)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    low = request.degradation(level)(batch, generator)
    return np.ascontiguousarray(low[0].permute(1, 2, 0).numpy())


def _expanded(name: str) -> list[str]:
    if not is_local(name) or not Path(name).is_dir():
        return [name]
    files = sorted(
        str(path)
        for path in Path(name).rglob("*")
        if path.suffix.lower() in RASTER_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(name).parts)
    )
    if not files:
        raise MissingFileError(
            f"expected rasters in the folder {name}, found none that ends in "
            f"{', '.join(sorted(RASTER_SUFFIXES))}"
        )
    return files


def _middle(source: RasterSource, crop_px: int) -> Window:
    height, width = (
        min(side, crop_px) // SCALE * SCALE for side in (source.grid.height, source.grid.width)
    )
    if min(height, width) < LEAST_PX:
        raise RequestError(
            f"expected images of at least {LEAST_PX} x {LEAST_PX} pixels, {source.path} has "
            f"{source.grid.width} x {source.grid.height}; leave it out"
        )
    row, col = (source.grid.height - height) // 2, (source.grid.width - width) // 2
    return Window(row, col, height, width)
