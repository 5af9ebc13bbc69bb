"""Training and validation images from pair stores; batches are pure functions of (seed, step)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from preprocessing.errors import PairStoreError
from preprocessing.pairs import PairStore

__all__ = ["Images", "draw_batch", "read_images", "spread"]


@dataclass(frozen=True)
class Images:
    """High-resolution tiles in memory.

    Attributes:
        tiles: `(n, 3, 128, 128)` uint8.
        dataset: `(n,)` strings, the first part of the pairs' source.
    """

    tiles: NDArray[np.uint8]
    dataset: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.tiles)


def read_images(stores: Sequence[str | Path], split: str) -> Images:
    """Read past and future tiles of one split from all stores; tiles with gaps are left out.

    Raises:
        PairStoreError: A store is missing, or no complete tile is left in the split.
    """
    tiles, names = [], []
    for path in stores:
        pairs = PairStore(path).read(split)
        whole = pairs.valid.all(axis=(1, 2))
        source = np.array([str(text).split("/")[0] for text in pairs.source[whole]], dtype="<U120")
        for images in (pairs.past, pairs.future):
            tiles.append(images[whole])
            names.append(source)
    count = sum(len(part) for part in tiles)
    if count == 0:
        raise PairStoreError(
            f"expected complete {split} tiles in {', '.join(map(str, stores))}, found none; "
            "prepare pairs of more places"
        )
    return Images(np.concatenate(tiles), np.concatenate(names))


def spread(images: Images, count: int) -> Images:
    """At most `count` tiles, evenly spread over `images`."""
    index = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    return Images(images.tiles[index], images.dataset[index])


def draw_batch(images: Images, *, batch_size: int, crop_px: int, seed: int, step: int) -> Tensor:
    """Random crops, turned and mirrored at random.

    Args:
        images: Tiles to draw from, with replacement.
        batch_size: Crops.
        crop_px: Side of a crop in high-resolution pixels.
        seed: Of the whole training.
        step: Number of the step; the batch depends on nothing else, so a resumed training
            sees the batches it would have seen.

    Returns:
        `(batch_size, 3, crop_px, crop_px)` float32, 0..1.
    """
    rng = np.random.default_rng((seed, step))
    crops = []
    for index in rng.integers(len(images), size=batch_size):
        tile = images.tiles[index]
        row, col = rng.integers(tile.shape[1] - crop_px + 1, size=2)
        crop = tile[:, row : row + crop_px, col : col + crop_px]
        crop = np.rot90(crop, k=int(rng.integers(4)), axes=(1, 2))
        crops.append(crop[:, :, ::-1] if rng.integers(2) else crop)
    return torch.from_numpy(np.stack(crops)).float() / 255
