"""Upscaling as a stream: windows are read, tiles blended, finished windows yielded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from preprocessing.rasters.window import Window
from sr.upscale.resampling import axis_weights
from sr.upscale.tile_plan import Stretch

__all__ = ["Block", "Reader", "stream_tiles", "upscale_tile"]

Reader = Callable[[Window], NDArray[np.float32] | None]
"""Gives the pixels `(c, h, w)` of a window inside the image, None where there is nothing to see."""

_SCALE = 4


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
    height: int,
    width: int,
    start_row: int = 0,
) -> Iterator[Block]:
    """Upscale tile by tile; what is in memory is a tile and the blended rim of one row of tiles.

    Args:
        upscale: Maps `(1, c, h, w)` to `(1, c, 4h, 4w)`, both float32 on the CPU.
        read: The image.
        rows: Plan of its rows.
        cols: Plan of its columns.
        channels: Channels `c`.
        height: Rows of the image.
        width: Columns of the image.
        start_row: First row of tiles to yield. To continue there, the row before is computed
            again for its rim.

    Yields:
        Finished blocks, row by row.
    """
    of_rows = [_axis(stretch, height, rows[-1].end) for stretch in rows]
    of_cols = [_axis(stretch, width, cols[-1].end) for stretch in cols]
    rim = np.zeros((channels, 0, cols[-1].end), np.float32)
    for index in range(max(0, start_row - 1), len(rows)):
        row = rows[index]
        next_rim = np.zeros((channels, row.end - row.done, cols[-1].end), np.float32)
        side = np.zeros((channels, row.end - row.begin, 0), np.float32)
        for number, col in enumerate(cols):
            tile = _tile(upscale, read, row, col, of_rows[index], of_cols[number], height, width)
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
    upscale: Callable[[Tensor], Tensor],
    read: Reader,
    row: Stretch,
    col: Stretch,
    *,
    height: int,
    width: int,
    out_height: int,
    out_width: int,
) -> NDArray[np.float32] | None:
    """Upscale one tile by itself, not blended.

    Args:
        upscale: See `stream_tiles`.
        read: The image.
        row: What the tile sees and gives along its rows.
        col: The same along its columns.
        height: Rows of the image.
        width: Columns of the image.
        out_height: Rows of the result.
        out_width: Columns of the result.

    Returns:
        `(c, row.end - row.begin, col.end - col.begin)`, None where there is nothing to see.
    """
    of_row, of_col = _axis(row, height, out_height), _axis(col, width, out_width)
    return _tile(upscale, read, row, col, of_row, of_col, height, width)


def _axis(stretch: Stretch, length: int, out_length: int) -> Tensor | slice:
    """How the network's pixels become the asked ones: a slice at four times, else weights."""
    if out_length == _SCALE * length:
        first = _SCALE * stretch.first
        return slice(stretch.begin - first, stretch.end - first)
    return torch.from_numpy(
        axis_weights(
            stretch.begin,
            stretch.end,
            step=_SCALE * length / out_length,
            first=_SCALE * stretch.first,
            last=_SCALE * stretch.last,
        )
    )


def _tile(
    upscale: Callable[[Tensor], Tensor],
    read: Reader,
    row: Stretch,
    col: Stretch,
    of_row: Tensor | slice,
    of_col: Tensor | slice,
    height: int,
    width: int,
) -> NDArray[np.float32] | None:
    low = _read_mirrored(read, row, col, height, width)
    if low is None:
        return None
    high = upscale(torch.from_numpy(low)[None])[0]
    high = high[:, of_row] if isinstance(of_row, slice) else torch.matmul(of_row, high)
    high = high[:, :, of_col] if isinstance(of_col, slice) else torch.matmul(high, of_col.T)
    return np.array(high.numpy(), dtype=np.float32)


def _read_mirrored(
    read: Reader, row: Stretch, col: Stretch, height: int, width: int
) -> NDArray[np.float32] | None:
    """The pixels a tile sees; beyond the image it is mirrored at the middle of its outer pixels."""
    down = _mirrored(row.first, row.last, height)
    right = _mirrored(col.first, col.last, width)
    top, left = int(down.min()), int(right.min())
    window = Window(top, left, int(down.max()) - top + 1, int(right.max()) - left + 1)
    pixels: NDArray[Any] | None = read(window)
    if pixels is None:
        return None
    return np.ascontiguousarray(pixels[:, (down - top)[:, None], right - left], dtype=np.float32)


def _mirrored(first: int, last: int, length: int) -> NDArray[np.intp]:
    """Pixels `first..last`, reflected as often as it takes at the ends of `0..length`."""
    if length == 1:
        return np.zeros(last - first, dtype=np.intp)
    period = 2 * (length - 1)
    phase = np.arange(first, last) % period
    return np.minimum(phase, period - phase)
