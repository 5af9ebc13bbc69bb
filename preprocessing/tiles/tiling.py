"""The plan of tiles over an image: a pure function of shapes, nothing is read."""

from __future__ import annotations

from preprocessing.rasters.window import Window

__all__ = ["plan_tiles"]


def plan_tiles(height: int, width: int, *, size: int, stride: int) -> list[Window]:
    """Windows of `size` that cover an image, row by row.

    Tiles start every `stride` pixels; the last of each axis is moved inwards so that all lie
    inside. With `stride == size` and a multiple of it, every pixel is covered exactly once.

    Args:
        height: Rows of the image, at least `size`.
        width: Columns of the image, at least `size`.
        size: Side of a tile.
        stride: Step between tiles, `1..size`.

    Raises:
        ValueError: The image is smaller than a tile, or the stride leaves gaps.
    """
    if height < size or width < size:
        raise ValueError(f"expected at least {size} x {size} pixels, got {height} x {width}")
    if not 1 <= stride <= size:
        raise ValueError(f"expected a stride of 1 to {size}, got {stride}")
    return [
        Window(row, col, size, size)
        for row in _starts(height, size, stride)
        for col in _starts(width, size, stride)
    ]


def _starts(length: int, size: int, stride: int) -> list[int]:
    starts = list(range(0, length - size + 1, stride))
    if starts[-1] != length - size:
        starts.append(length - size)
    return starts
