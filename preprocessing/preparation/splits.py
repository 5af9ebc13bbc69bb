"""Train and validation by place: what was trained on is never scored on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.pairs.store import TILE_PX
from preprocessing.preparation.validation_blocks import GUARD_PX
from preprocessing.rasters.window import Window

__all__ = ["held_corner", "split_blocks", "split_places"]


def split_places(places: Iterable[str], *, val_share: float, seed: int = 0) -> dict[str, str]:
    """Give each place, with all its dates and tiles, to one split.

    Args:
        places: Names; order and repetition do not matter.
        val_share: Share of the places for validation, 0..1. A share above 0 gets at least one
            place as long as one is left for training.
        seed: Chooses the places.

    Returns:
        Split name by place.

    Raises:
        ValueError: The share is not 0 to below 1.
    """
    _check_share(val_share)
    names = sorted(set(places))
    order = np.random.default_rng(seed).permutation(len(names))
    count = min(_count(val_share, len(names)), max(len(names) - 1, 0))
    held = {names[i] for i in order[:count]}
    return {name: "val" if name in held else "train" for name in names}


def split_blocks(windows: Sequence[Window], *, val_share: float, seed: int = 0) -> list[str | None]:
    """Split the tiles of one region into a compact validation corner and the rest.

    Args:
        windows: Tiles of one plan.
        val_share: Share of the tiles for validation, 0..1.
        seed: Chooses the corner.

    Returns:
        For each tile `"train"`, `"val"`, or None where it lies in the strip between both, which
        belongs to neither.

    Raises:
        ValueError: The share is not 0 to below 1.
    """
    _check_share(val_share)
    if val_share == 0 or not windows:
        return ["train"] * len(windows)
    bottom = max(w.row + w.height for w in windows)
    right = max(w.col + w.width for w in windows)
    down, across = np.random.default_rng(seed).integers(0, 2, size=2)

    def from_corner(window: Window) -> float:
        row = bottom - window.row - window.height if down else window.row
        col = right - window.col - window.width if across else window.col
        return max(row / bottom, col / right)

    order = sorted(range(len(windows)), key=lambda i: from_corner(windows[i]))
    held = np.zeros(len(windows), bool)
    held[order[: _count(val_share, len(windows))]] = True
    near = _near_held(windows, held)
    return [
        "val" if is_held else None if is_near else "train"
        for is_held, is_near in zip(held, near, strict=True)
    ]


def held_corner(height: int, width: int, *, val_share: float, seed: int = 0) -> Window:
    """A corner of a region with the share of its ground, for places seen at several dates.

    Tiles of any pair of dates then belong to validation if they lie inside.

    Args:
        height: Rows of the region.
        width: Columns.
        val_share: Share of the ground, 0..1.
        seed: Chooses the corner.

    Raises:
        ValueError: The share is not 0 to below 1.
    """
    _check_share(val_share)
    down, across = np.random.default_rng(seed).integers(0, 2, size=2)
    rows = min(max(round(height * val_share**0.5), TILE_PX), height)
    cols = min(max(round(width * val_share**0.5), TILE_PX), width)
    return Window(height - rows if down else 0, width - cols if across else 0, rows, cols)


def _near_held(windows: Sequence[Window], held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which tiles lie within `GUARD_PX` of a held one; quick for a hundred thousand tiles.

    Tiles of one plan have one size and start on few rows and columns: the held ones are counted in
    rectangles of that lattice, from a table of sums.
    """
    rows, row_index = np.unique([w.row for w in windows], return_inverse=True)
    cols, col_index = np.unique([w.col for w in windows], return_inverse=True)
    sums = np.zeros((len(rows) + 1, len(cols) + 1), np.int64)
    np.add.at(sums, (row_index + 1, col_index + 1), held)
    sums = sums.cumsum(axis=0).cumsum(axis=1)

    def reached(starts: NDArray[np.int64], side: int) -> tuple[NDArray[Any], NDArray[Any]]:
        reach = side + GUARD_PX
        first = np.searchsorted(starts, starts - reach, side="right")
        return first, np.searchsorted(starts, starts + reach, side="left")

    top, bottom = (index[row_index] for index in reached(rows, windows[0].height))
    left, right = (index[col_index] for index in reached(cols, windows[0].width))
    count = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return np.asarray(count > 0)


def _count(share: float, total: int) -> int:
    return max(1, round(share * total)) if share > 0 else 0


def _check_share(val_share: float) -> None:
    if not 0 <= val_share < 1:
        raise ValueError(f"expected a val_share of 0 to below 1, got {val_share}")
