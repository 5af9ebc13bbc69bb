"""Blocks of a region and what lies around them."""

from __future__ import annotations

from preprocessing.cells import CELL
from preprocessing.grid import Window

__all__ = ["cut", "grown", "in_pixels", "within"]


def cut(height: int, width: int, size: int) -> list[Window]:
    """Windows of at most `size` that cover an area once, row by row."""
    return [
        Window(row, col, min(size, height - row), min(size, width - col))
        for row in range(0, height, size)
        for col in range(0, width, size)
    ]


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
