"""Maps of what a result adds to its input, as a file on the grid of the input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import blocks, write_cog
from preprocessing.rasters.raster import Encoding
from preprocessing.running.progress import Progress, untold
from sr.upscale.invention import MAPS, window_maps
from sr.upscale.raw_raster import RawRaster
from sr.upscale.tiled import Reader

__all__ = ["write_maps"]

_LEAST_PX, _MOST_PX = 16, 256
_MOST_VALUES = 1 << 23  # of the result in memory at a time


def write_maps(
    path: Path,
    grid: Grid,
    raw: RawRaster,
    read: Reader,
    valid: Callable[[Window], NDArray[np.bool_]],
    encoding: Encoding,
    *,
    count: int,
    edge_pad: int,
    progress: Progress = untold,
) -> Path:
    """Write `MAPS` as the bands of a COG: float32, in stored units, NaN where nothing is seen.

    Args:
        path: Final name.
        grid: Of the input.
        raw: The finished result.
        read: The input, all bands, nominally 0..1.
        valid: Which pixels of a window of the input are seen, `(h, w)`.
        encoding: How input and result are stored.
        count: Bands of the input; further ones of `raw`, as alpha, are left out.
        edge_pad: Pixels by which the input was mirrored at its edges.
        progress: Called with `("mapping", windows done, windows in all)`.
    """
    shape, out_shape = grid.shape, raw.shape[1:]
    each = count * math.prod(out_shape) / math.prod(shape)
    side = min(max(math.isqrt(int(_MOST_VALUES / each)), _LEAST_PX), _MOST_PX)
    plan = blocks(grid, size=side)

    def result(window: Window) -> NDArray[np.float32]:
        return encoding.decode(raw.read(window)[:count])

    def maps() -> Iterator[tuple[Window, NDArray[Any], None]]:
        for done, window in enumerate(plan, start=1):
            found = window_maps(
                read,
                result,
                window,
                shape=shape,
                out_shape=out_shape,
                edge_pad=edge_pad,
            )
            if found is None:
                found = np.zeros((len(MAPS), *window.shape), np.float32)
            found *= encoding.high - encoding.low
            found[:, ~valid(window)] = np.nan
            yield window, found, None
            progress("mapping", done, len(plan))

    return write_cog(
        path,
        grid,
        maps(),
        count=len(MAPS),
        dtype="float32",
        nodata=math.nan,
        descriptions=MAPS,
    )
