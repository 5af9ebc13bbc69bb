"""Pairs of stores as tiles in memory, for the training of the guided network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from preprocessing.errors import PairStoreError
from preprocessing.pairs.location import location_of
from preprocessing.series.pair_index import PairIndex, choose_evenly

__all__ = ["read_pair_tiles"]

_BLOCK = 256


def read_pair_tiles(
    stores: Sequence[str | Path], split: str, *, complete: bool, most: int | None = None
) -> Tensor:
    """Both dates of all pairs of a split.

    Args:
        stores: Pair stores.
        split: `train`, `val` or `test`.
        complete: Leave out pairs with gaps. Else the gaps of either date take the earlier one:
            ground that does not change.
        most: At most so many, as evenly over the datasets as they allow.

    Returns:
        `(n, 2, 3, side, side)` uint8: earlier and later date.

    Raises:
        PairStoreError: A store is missing, or it has no such pair.
    """
    index = PairIndex.of(stores, split, side_px=None)
    chosen = np.flatnonzero(index.complete()) if complete else np.arange(len(index))
    if len(chosen) == 0:
        raise PairStoreError(
            f"expected {split} pairs in {', '.join(map(location_of, stores))}, found none; "
            "prepare pairs of more places"
        )
    if most is not None:
        chosen = chosen[choose_evenly(index.dataset[chosen], most)]
    side = index.stores[0].side_px
    tiles = np.empty((len(chosen), 2, 3, side, side), np.uint8)
    for start in range(0, len(chosen), _BLOCK):
        part = index.read(chosen[start : start + _BLOCK])
        rows = slice(start, start + len(part))
        tiles[rows, 0] = part.past
        tiles[rows, 1] = np.where(part.valid[:, None], part.future, part.past)
    return torch.from_numpy(tiles)
