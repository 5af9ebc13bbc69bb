"""What an upscaled picture adds to its input: maps to lay beside a result, without any truth.

Nobody can tell improvement from hallucination where the truth is not known. Two things can be
told: whether the result still says what the input says (*consistency*), and how much it says
beyond what interpolation shows (*added detail*). The second is neither an error nor a bound on it,
since detail that is missing does not show in it. It says where the picture rests on what the model
saw elsewhere, and errors are larger there; see `docs/super-resolution.md` for how much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from preprocessing.rasters.window import Window
from sr.network.rrdb import bicubic_upsample
from sr.upscale.resampling import axis_weights
from sr.upscale.tile_plan import SCALE, Stretch
from sr.upscale.tiled import Reader, upscale_tile

__all__ = ["MAPS", "whole_maps", "window_maps"]

MAPS = ("consistency", "added detail")
"""What the two bands are called."""

_HALO_PX = 8  # bicubic looks 2 px far; beyond the rim of nodata as far again for what fills it


def whole_maps(result: NDArray[np.float32], low: NDArray[np.float32]) -> NDArray[np.float32]:
    """Consistency and added detail of an image in memory, see `window_maps`.

    Args:
        result: `(c, H, W)`, in any unit.
        low: `(c, h, w)`, what was enlarged, in the same unit; `h <= H`, `w <= W`.

    Returns:
        `(2, h, w)`.
    """
    height, width = low.shape[1:]
    maps = window_maps(
        lambda window: low[(slice(None), *window.slices)],
        lambda window: result[(slice(None), *window.slices)],
        Window(0, 0, height, width),
        shape=(height, width),
        out_shape=result.shape[1:],
    )
    assert maps is not None  # the readers give pixels everywhere
    return maps


def window_maps(
    low: Reader,
    result: Reader,
    window: Window,
    *,
    shape: tuple[int, int],
    out_shape: tuple[int, int],
    edge_pad: int = _HALO_PX,
) -> NDArray[np.float32] | None:
    """Consistency and added detail of a window, the same as cut from those of the whole.

    Args:
        low: What was enlarged, in any unit.
        result: What it became, in the same unit.
        window: In pixels of the input.
        shape: Rows and columns of the input.
        out_shape: Those of the result, at least as many.
        edge_pad: Pixels by which the input was mirrored at its edges.

    Returns:
        `(2, h, w)` on the grid of the input, None where there is nothing to see. First the absolute
        difference of input and result, the result averaged over the ground of each input pixel;
        mean over bands. Then the root mean square, over the same ground and all bands, of the
        result minus the bicubic enlargement of the input (Keys, a = -0.5, to four times, then to
        the scale of the result as the network's output is).
    """
    row = _stretch(window.row, window.height, shape[0], out_shape[0], edge_pad)
    col = _stretch(window.col, window.width, shape[1], out_shape[1], edge_pad)
    there = low(window)
    smooth = upscale_tile(_bicubic, low, row, col)
    high = result(Window(row.begin, col.begin, row.end - row.begin, col.end - col.begin))
    if there is None or smooth is None or high is None:
        return None
    down = _means(window.row, window.height, row)
    right = _means(window.col, window.width, col)
    consistency = np.abs(down @ high @ right.T - there).mean(axis=0)
    added = down @ np.square(high - smooth).mean(axis=0) @ right.T
    return np.stack([consistency, np.sqrt(added)])


def _bicubic(low: Tensor) -> Tensor:
    return bicubic_upsample(low, SCALE)


def _stretch(start: int, count: int, length: int, out_length: int, edge_pad: int) -> Stretch:
    """Pixels of the result over some pixels of the input, and what interpolates them."""
    begin = start * out_length // length
    end = -(-(start + count) * out_length // length)
    return Stretch(
        length,
        out_length,
        first=max(start - _HALO_PX, -edge_pad),
        last=min(start + count + _HALO_PX, length + edge_pad),
        begin=begin,
        end=end,
        done=end,
        weight=np.ones(end - begin, np.float32),
    )


def _means(start: int, count: int, over: Stretch) -> NDArray[np.float32]:
    """Weights of the result's pixels for area means over pixels of the input."""
    step = over.out_length / over.length
    return axis_weights(start, start + count, step=step, first=over.begin, last=over.end)
