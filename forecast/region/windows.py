"""Blocks of a region and what lies around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.rasters.window import Window
from preprocessing.tiles.cells import CELL

__all__ = ["by_block", "covering", "cut", "grown", "in_pixels", "strips", "within"]

_STRIP = 2**20
"""Values of a plane that are held in memory at once."""
_BLOCK = 256


def cut(height: int, width: int, size: int) -> list[Window]:
    """Windows of at most `size` that cover an area once, row by row."""
    return [
        Window(row, col, min(size, height - row), min(size, width - col))
        for row in range(0, height, size)
        for col in range(0, width, size)
    ]


def strips(shape: tuple[int, ...]) -> list[slice]:
    """Rows at a time of a plane of this shape (or entries of a row of values), from the first on.

    Sums over them are taken in the order of the cells, whatever the width of a strip.
    """
    step = max(1, _STRIP // max(1, int(np.prod(shape[1:]))))
    return [slice(row, min(row + step, shape[0])) for row in range(0, shape[0], step)]


def by_block(cells: NDArray[np.int64], shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """Flat indices of cells, parted by blocks of the region."""
    row, col = np.unravel_index(cells, shape)
    block = row // _BLOCK * (shape[1] // _BLOCK + 1) + col // _BLOCK
    order = np.argsort(block, kind="stable")
    starts = np.flatnonzero(np.diff(block[order])) + 1
    return [part for part in np.split(cells[order], starts) if len(part)]


def covering(cells: NDArray[np.bool_], margin: int) -> list[Window]:
    """Windows that cover the true cells `(h, w)` once, few and small if `margin` is added to each.

    The window around all of them is halved along its longer side as long as that saves area.
    """
    rows, cols = (np.flatnonzero(cells.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    top, left = int(rows[0]), int(cols[0])
    whole = Window(top, left, int(rows[-1]) + 1 - top, int(cols[-1]) + 1 - left)
    area = (whole.height + 2 * margin) * (whole.width + 2 * margin)
    if area <= 2 * (1 + 2 * margin) ** 2:  # Two parts would have as much.
        return [whole]
    parts = []
    for half in _halves(whole):
        part = covering(cells[half.slices], margin)
        parts += [Window(half.row + w.row, half.col + w.col, w.height, w.width) for w in part]
    areas = [(w.height + 2 * margin) * (w.width + 2 * margin) for w in parts]
    return parts if sum(areas) < area else [whole]


def _halves(window: Window) -> tuple[Window, Window]:
    if window.height >= window.width:
        first = window.height // 2
        return (
            Window(window.row, window.col, first, window.width),
            Window(window.row + first, window.col, window.height - first, window.width),
        )
    first = window.width // 2
    return (
        Window(window.row, window.col, window.height, first),
        Window(window.row, window.col + first, window.height, window.width - first),
    )


def grown(window: Window, by: int, height: int, width: int) -> Window:
    """A window with `by` more on each side, as far as the area reaches."""
    top, left = max(0, window.row - by), max(0, window.col - by)
    bottom = min(height, window.row + window.height + by)
    right = min(width, window.col + window.width + by)
    return Window(top, left, bottom - top, right - left)


def within(window: Window, outer: Window) -> Window:
    """A window as seen from the corner of one that holds it."""
    return Window(window.row - outer.row, window.col - outer.col, window.height, window.width)


def in_pixels(window: Window) -> Window:
    """The pixels of a window of cells."""
    return Window(CELL * window.row, CELL * window.col, CELL * window.height, CELL * window.width)
