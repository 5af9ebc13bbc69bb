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
from preprocessing.pairs.location import location_of
from preprocessing.series.pair_index import PairIndex

__all__ = ["Images", "draw_batch", "draw_views", "read_images", "spread"]


@dataclass(frozen=True)
class Images:
    """High-resolution tiles: labels in memory, pixels in the stores.

    Attributes:
        index: The pairs they belong to.
        pair: `(n,)` position of the pair in `index`.
        later: `(n,)` bool: its future rather than its past.
    """

    index: PairIndex
    pair: NDArray[np.intp]
    later: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pair)

    @property
    def dataset(self) -> NDArray[np.str_]:
        """`(n,)` first part of the pairs' source."""
        return self.index.dataset[self.pair]

    def take(self, chosen: NDArray[np.intp]) -> Images:
        """The tiles at `chosen`."""
        return Images(self.index, self.pair[chosen], self.later[chosen])

    def read(self, chosen: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Read the tiles at `chosen`: `(k, 3, side, side)`, the side being mostly 128 px."""
        pairs = self.index.read(self.pair[chosen])
        return np.where(self.later[chosen, None, None, None], pairs.future, pairs.past)


def read_images(stores: Sequence[str | Path], split: str) -> Images:
    """Find past and future tiles of one split in all stores; tiles with gaps are left out.

    Raises:
        PairStoreError: A store is missing, or no complete tile is left in the split.
    """
    index = PairIndex.of(stores, split, side_px=None)
    pair, later = [], []
    complete = index.complete()
    for store in range(len(index.stores)):
        whole = np.flatnonzero(complete & (index.store == store))
        for which in (False, True):
            pair.append(whole)
            later.append(np.full(len(whole), which))
    images = Images(index, np.concatenate(pair), np.concatenate(later))
    if len(images) == 0:
        raise PairStoreError(
            f"expected complete {split} tiles in {', '.join(map(location_of, stores))}, found "
            "none; prepare pairs of more places"
        )
    return images


def spread(images: Images, count: int) -> Images:
    """At most `count` tiles, evenly spread over `images`."""
    index = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    return images.take(index)


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
    return draw_views(images.read(rng.integers(len(images), size=batch_size)), crop_px, rng)


def draw_views(tiles: NDArray[np.uint8], crop_px: int, rng: np.random.Generator) -> Tensor:
    """A random crop of each tile `(b, 3, h, w)`, turned and mirrored at random.

    Returns:
        `(b, 3, crop_px, crop_px)` float32, 0..1.
    """
    crops = []
    for tile in tiles:
        row, col = rng.integers(tile.shape[1] - crop_px + 1, size=2)
        crop = tile[:, row : row + crop_px, col : col + crop_px]
        crop = np.rot90(crop, k=int(rng.integers(4)), axes=(1, 2))
        crops.append(crop[:, :, ::-1] if rng.integers(2) else crop)
    return torch.from_numpy(np.stack(crops)).float() / 255
