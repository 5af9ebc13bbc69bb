"""Copies of ground, cell by cell, from elsewhere in the picture."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from preprocessing.running.differences import Parts
from preprocessing.tiles.cells import CELL

__all__ = ["NO_SOURCE", "filled_from", "widened"]

NO_SOURCE: Final = -1
_OVERLAP = 1
"""Pixels that copies of neighbouring cells reach into each other."""
_STEPS = ((-1, 0), (0, -1), (-1, -1), (-1, 1), (1, 0), (0, 1), (1, 1), (1, -1))


def widened(sources: NDArray[np.int32], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Sources of the cells beside those that have one, going on with the copy.

    Args:
        sources: `(2, h, w)` of a block.
        shape: Rows and columns of the region, within which sources stay.
    """
    found = sources.copy()
    height, width = sources.shape[1:]
    padded = np.pad(sources, ((0, 0), (1, 1), (1, 1)), constant_values=NO_SOURCE)
    for down, across in _STEPS:
        beside = padded[:, 1 + down : 1 + down + height, 1 + across : 1 + across + width]
        moved = beside - np.array([down, across], np.int32)[:, None, None]
        inside = (moved >= 0).all(axis=0) & (moved[0] < shape[0]) & (moved[1] < shape[1])
        take = (found[0] < 0) & (beside[0] >= 0) & inside
        found[:, take] = moved[:, take]
    return found


def filled_from(
    image: Parts, block: NDArray[np.float32], sources: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Copy sources into a block; copies overlap a little and are blended there.

    Args:
        image: `(3, 4 * H, 4 * W)` of the region.
        block: `(3, 4 * h, 4 * w)`.
        sources: `(2, h, w)` of the cells of the block.

    Returns:
        Like `block`; cells without a source are as they were.
    """
    ramp = (np.arange(2 * _OVERLAP) + 0.5) / (2 * _OVERLAP)
    profile = np.concatenate([ramp, np.ones(CELL - 2 * _OVERLAP), ramp[::-1]])
    weight = np.outer(profile, profile)
    total = np.zeros((3, *(size + 2 * _OVERLAP for size in block.shape[1:])))
    weights = np.zeros(total.shape[1:])
    side = np.arange(CELL + 2 * _OVERLAP)
    limits = image.shape[1] - 1, image.shape[2] - 1
    for row in (0, 1):
        for col in (0, 1):  # Windows of every other cell do not overlap.
            rows, cols = np.nonzero(sources[0, row::2, col::2] >= 0)
            rows, cols = 2 * rows + row, 2 * cols + col
            top, left = (CELL * sources[axis, rows, cols] - _OVERLAP for axis in (0, 1))
            from_rows = (top[:, None] + side).clip(0, limits[0])[:, :, None]
            from_cols = (left[:, None] + side).clip(0, limits[1])[:, None, :]
            to_rows = (CELL * rows[:, None] + side)[:, :, None]
            to_cols = (CELL * cols[:, None] + side)[:, None, :]
            total[:, to_rows, to_cols] += weight * image[:, from_rows, from_cols]
            weights[to_rows, to_cols] += weight
    inside = (..., slice(_OVERLAP, -_OVERLAP), slice(_OVERLAP, -_OVERLAP))
    blended = total[inside] / np.maximum(weights[inside], 1e-6)
    copied = np.repeat(np.repeat(sources[0] >= 0, CELL, axis=0), CELL, axis=1)
    return np.asarray(np.where(copied, blended, block), dtype=np.float32)
