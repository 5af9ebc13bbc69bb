"""Changed cells become pixels of the picture; everything else is not touched."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from forecast.lift import Lift
from forecast.network.conditions import Tone
from forecast.network.patches import to_low
from forecast.region.copies import filled_from, widened
from forecast.region.outlines import outlined, spread_out
from forecast.region.windows import covering, cut, grown, in_pixels, within
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window
from preprocessing.running.executor import in_threads
from preprocessing.tiles.cells import CELL

__all__ = ["bands_of", "paint", "paint_ticks"]

_BLOCK = 64
_CONTEXT = 2
"""Cells around a block that the outlines in it, and its colours, depend on."""
Tick = Callable[[], None]


def bands_of(height: int, count: int) -> list[slice]:
    """Rows of cells of a region of so many, parted between rows of blocks into `count` at most."""
    rows = -(-height // _BLOCK)
    edges = [min(_BLOCK * (rows * n // count), height) for n in range(count)] + [height]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if a < b]


def paint_ticks(height: int, width: int) -> int:
    """How often `paint` calls `tick` for a region of so many cells."""
    return len(cut(height, width, _BLOCK))


def paint(
    stored: NDArray[Any],
    encoding: Encoding,
    image: NDArray[np.float32],
    tone: Tone,
    *,
    colours: NDArray[np.float32],
    sources: NDArray[np.int32],
    before: NDArray[np.bool_],
    changed: NDArray[np.bool_],
    lift: Lift,
    asked: NDArray[np.bool_] | None = None,
    band: slice | None = None,
    block: int = _BLOCK,
    threads: int = 1,
    tick: Tick | None = None,
) -> None:
    """Paint what has newly changed into a picture, in place.

    Outlines follow the edges of the start, at most one cell beyond the changed cells; pixels there
    are mixed with what they showed. A pixel is painted in the year in which it falls within the
    outline, and again only while more of it changes. Blocks in which nothing is new are not
    computed.

    Args:
        stored: `(3, height, width)` stored values of the year before, of the band; may be a memory
            map.
        encoding: How values are stored.
        image: `(3, 4 * h, 4 * w)` the start, 0..1, padded.
        tone: Of the region.
        colours: `(3, h, w)` what the cells that have changed look like, 0..1.
        sources: `(2, h, w)` the cells of the start that they are copied from, see `Analogues`.
        before: `(h, w)` cells that had changed the year before.
        changed: `(h, w)` cells that have changed; all of `before` among them.
        lift: From cells to pixels.
        asked: `(h, w)` cells whose pixels are asked for, all where None; blocks without any are
            not painted.
        band: Rows of cells to paint, from `bands_of`; all where None.
        block: Cells along what is lifted at once.
        threads: Blocks that are painted side by side.
        tick: Called after each block.
    """
    height, width = changed.shape
    top, bottom = (0, height) if band is None else (band.start, band.stop)
    inside = Window(top, 0, bottom - top, width)

    def paint_block(inner: Window) -> None:
        if asked is not None and not asked[inner.slices].any():
            return
        around = grown(inner, _CONTEXT, height, width)
        fresh = changed[around.slices] & ~before[around.slices]
        if fresh.any():
            near = maximum_filter(fresh, 2 * _CONTEXT + 1)[within(inner, around).slices]
            new = np.zeros((CELL * inner.height, CELL * inner.width), np.float32)
            for part in covering(near, _CONTEXT):
                new[in_pixels(part).slices] = _new_pixels(
                    _moved(part, inner), image, tone, before, changed
                )
            whole = new.reshape(inner.height, CELL, inner.width, CELL)
            cells = np.asarray(whole.any(axis=(1, 3)))
            for part in covering(cells, lift.halo + _CONTEXT):
                box, pixels = _moved(part, inner), new[in_pixels(part).slices]
                _paint_box(
                    stored, top, encoding, image, box, pixels, colours, sources, changed, lift
                )

    for _ in in_threads(
        paint_block, [_moved(part, inside) for part in cut(bottom - top, width, block)], threads
    ):
        if tick is not None:
            tick()


def _moved(part: Window, inner: Window) -> Window:
    """A part of a block, on the grid of the region."""
    return Window(inner.row + part.row, inner.col + part.col, part.height, part.width)


def _new_pixels(
    inner: Window,
    image: NDArray[np.float32],
    tone: Tone,
    before: NDArray[np.bool_],
    changed: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Share that changes this year of what had not changed of the pixels of some cells."""
    around = grown(inner, _CONTEXT, *changed.shape)
    picture = tone.units(_tensor(image[(slice(None), *in_pixels(around).slices)]))
    cells = torch.from_numpy(np.stack([changed[around.slices], before[around.slices]]))
    now, then = outlined(cells[:, None], picture)[:, 0]
    share = torch.where(now > then, (now - then) / (1 - then).clamp_min(1e-6), 0)
    return np.asarray(share.numpy()[in_pixels(within(inner, around)).slices])


def _paint_box(
    stored: NDArray[Any],
    top: int,
    encoding: Encoding,
    image: NDArray[np.float32],
    box: Window,
    new: NDArray[np.float32],
    colours: NDArray[np.float32],
    sources: NDArray[np.int32],
    changed: NDArray[np.bool_],
    lift: Lift,
) -> None:
    """Lift a box of cells and write its new pixels; `stored` begins at the row `top` of cells.

    What is lifted starts from the picture with the copies in it, so that these are left as they
    are; where nothing is copied the lift draws.
    """
    around = grown(box, lift.halo + _CONTEXT, changed.shape[0], changed.shape[1])
    copied = widened(sources[(slice(None), *around.slices)], changed.shape)
    here = image[(slice(None), *in_pixels(around).slices)]
    observed = _tensor(filled_from(image, here, copied))
    present = to_low(observed)
    drawn = changed[around.slices] & (sources[0][around.slices] < 0)
    known = torch.from_numpy(drawn)[None, None]
    spread, wide = spread_out(_tensor(colours[(slice(None), *around.slices)]), known, _CONTEXT)
    wide = wide & torch.from_numpy(copied[0] < 0)
    lifted = lift(observed, present, torch.where(wide, spread, present))[0].cpu().numpy()
    row, col = np.nonzero(new)
    down, across = row + CELL * box.row, col + CELL * box.col
    # What is beyond the grid is only there to fill the last cells and tiles.
    below = down - CELL * top
    real = (below < stored.shape[1]) & (across < stored.shape[2])
    down, below, across = down[real], below[real], across[real]
    values = lifted[:, down - CELL * around.row, across - CELL * around.col]
    share, old = new[row, col][real], encoding.decode(np.asarray(stored[:, below, across]))
    stored[:, below, across] = encoding.encode(share * values + (1 - share) * old)


def _tensor(values: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.array(values))[None]
