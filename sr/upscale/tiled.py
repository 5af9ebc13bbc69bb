"""Upscaling as a stream: windows are read, tiles blended, finished windows yielded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from preprocessing.rasters.window import Window
from sr.upscale.tile_plan import Stretch

__all__ = ["Block", "Reader", "stream_tiles", "upscale_tile"]

Reader = Callable[[Window], NDArray[np.float32] | None]
"""Gives the pixels `(c, h, w)` of a window inside the image, None where there is nothing to see."""


@dataclass(frozen=True)
class Block:
    """A finished part of the result.

    Attributes:
        window: Where it lies in the result; the windows of all blocks cover it once.
        pixels: `(c, h, w)` float32, not clipped.
        row: Row of tiles that completed it.
        ends_row: Whether it is the last of that row.
    """

    window: Window
    pixels: NDArray[np.float32]
    row: int
    ends_row: bool


def stream_tiles(
    upscale: Callable[[Tensor], Tensor],
    read: Reader,
    rows: Sequence[Stretch],
    cols: Sequence[Stretch],
    *,
    channels: int,
    start_row: int = 0,
) -> Iterator[Block]:
    """Upscale tile by tile; what is in memory is a tile and the blended rim of one row of tiles.

    Args:
        upscale: Maps `(1, c, h, w)` to `(1, c, 4h, 4w)`, both float32 on the CPU.
        read: The image.
        rows: Plan of its rows.
        cols: Plan of its columns.
        channels: Channels `c`.
        start_row: First row of tiles to yield. To continue there, the row before is computed
            again for its rim.

    Yields:
        Finished blocks, row by row.
    """
    rim = np.zeros((channels, 0, cols[-1].end), np.float32)
    for index in range(max(0, start_row - 1), len(rows)):
        row = rows[index]
        next_rim = np.zeros((channels, row.end - row.done, cols[-1].end), np.float32)
        side = np.zeros((channels, row.end - row.begin, 0), np.float32)
        for number, col in enumerate(cols):
            tile = upscale_tile(upscale, read, row, col)
            if tile is None:
                tile = np.zeros((channels, row.end - row.begin, col.end - col.begin), np.float32)
            tile *= row.weight[:, None] * col.weight
            tile[:, :, : side.shape[2]] += side
            done = tile[:, :, : col.done - col.begin]
            side = tile[:, :, col.done - col.begin :]
            done[:, : rim.shape[1]] += rim[:, :, col.begin : col.done]
            next_rim[:, :, col.begin : col.done] = done[:, row.done - row.begin :]
            if index >= start_row:
                window = Window(row.begin, col.begin, row.done - row.begin, done.shape[2])
                pixels = done[:, : row.done - row.begin]
                yield Block(window, pixels, index, number == len(cols) - 1)
        rim = next_rim


def upscale_tile(
    upscale: Callable[[Tensor], Tensor], read: Reader, row: Stretch, col: Stretch
) -> NDArray[np.float32] | None:
    """Upscale one tile by itself, not blended.

    Args:
        upscale: See `stream_tiles`.
        read: The image.
        row: What the tile sees and gives along its rows.
        col: The same along its columns.

    Returns:
        `(c, row.end - row.begin, col.end - col.begin)`, None where there is nothing to see.
    """
    low = _read_mirrored(read, row.seen, col.seen)
    if low is None:
        return None
    high = upscale(torch.from_numpy(low)[None])[0]
    down, right = row.resampling, col.resampling
    high = high[:, down] if isinstance(down, slice) else torch.from_numpy(down) @ high
    high = high[:, :, right] if isinstance(right, slice) else high @ torch.from_numpy(right).T
    return np.array(high.numpy(), dtype=np.float32)


def _read_mirrored(
    read: Reader, rows: NDArray[np.intp], cols: NDArray[np.intp]
) -> NDArray[np.float32] | None:
    top, left = int(rows.min()), int(cols.min())
    pixels = read(Window(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1))
    if pixels is None:
        return None
    return np.ascontiguousarray(pixels[:, (rows - top)[:, None], cols - left], dtype=np.float32)
