"""Changed cells become pixels of the picture; everything else is not touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from forecast.lift import Lift
from forecast.network.conditions import Tone
from forecast.network.patches import to_low
from forecast.region.changes import Changes
from forecast.region.copies import filled_from, widened
from forecast.region.outlines import outlined, spread_out
from forecast.region.windows import covering, cut, grown, in_pixels, within
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.tiles.cells import CELL

__all__ = ["paint", "reach_of"]

_STEP = 64
_CONTEXT = 2
"""Cells around a block that the outlines in it, and its colours, depend on."""


def reach_of(lift: Lift) -> int:
    """Cells around a block that what is painted in it depends on."""
    return lift.halo + _CONTEXT


def paint(
    stored: NDArray[Any],
    block: Window,
    encoding: Encoding,
    image: Parts,
    tone: Tone,
    *,
    before: NDArray[np.bool_],
    after: Changes,
    around: Window,
    lift: Lift,
    step: int = _STEP,
) -> None:
    """Paint what has newly changed into a block of a picture, in place.

    Outlines follow the edges of the start, at most one cell beyond the changed cells; pixels there
    are mixed with what they showed. A pixel is painted in the year in which it falls within the
    outline, and again only while more of it changes. Where nothing is new nothing is computed.

    Args:
        stored: `(3, h, w)` stored values of the block the year before.
        block: Its cells.
        encoding: How values are stored.
        image: `(3, 4 * h, 4 * w)` the start, 0..1, padded, of the region.
        tone: Of the region.
        before: `(h, w)` cells of `around` that had changed the year before.
        after: What has changed of `around`; all of `before` among it.
        around: The block and `reach_of` the lift around it, as far as the region reaches.
        lift: From cells to pixels.
        step: Cells along what is looked through at once.
    """
    height, width = (size // CELL for size in image.shape[1:])
    fresh = after.changed & ~before
    for part in cut(block.height, block.width, step):
        inner = _moved(part, block)
        edge = grown(inner, _CONTEXT, height, width)
        new_cells = fresh[within(edge, around).slices]
        if not new_cells.any():
            continue
        near = maximum_filter(new_cells, 2 * _CONTEXT + 1)[within(inner, edge).slices]
        new = np.zeros((CELL * inner.height, CELL * inner.width), np.float32)
        for some in covering(near, _CONTEXT):
            new[in_pixels(some).slices] = _new_pixels(
                _moved(some, inner), image, tone, before, after.changed, around
            )
        whole = new.reshape(inner.height, CELL, inner.width, CELL)
        cells = np.asarray(whole.any(axis=(1, 3)))
        for some in covering(cells, reach_of(lift)):
            box, pixels = _moved(some, inner), new[in_pixels(some).slices]
            _paint_box(stored, block, encoding, image, box, pixels, after, around, lift)


def _moved(part: Window, inner: Window) -> Window:
    """A part of a block, on the grid of the region."""
    return Window(inner.row + part.row, inner.col + part.col, part.height, part.width)


def _new_pixels(
    inner: Window,
    image: Parts,
    tone: Tone,
    before: NDArray[np.bool_],
    changed: NDArray[np.bool_],
    around: Window,
) -> NDArray[np.float32]:
    """Share that changes this year of what had not changed of the pixels of some cells."""
    height, width = (size // CELL for size in image.shape[1:])
    edge = grown(inner, _CONTEXT, height, width)
    picture = tone.units(_tensor(image[(slice(None), *in_pixels(edge).slices)]))
    here = within(edge, around).slices
    cells = torch.from_numpy(np.stack([changed[here], before[here]]))
    now, then = outlined(cells[:, None], picture)[:, 0]
    share = torch.where(now > then, (now - then) / (1 - then).clamp_min(1e-6), 0)
    return np.asarray(share.numpy()[in_pixels(within(inner, edge)).slices])


def _paint_box(
    stored: NDArray[Any],
    block: Window,
    encoding: Encoding,
    image: Parts,
    box: Window,
    new: NDArray[np.float32],
    after: Changes,
    around: Window,
    lift: Lift,
) -> None:
    """Lift a box of cells and write its new pixels.

    What is lifted starts from the picture with the copies in it, so that these are left as they
    are; where nothing is copied the lift draws.
    """
    shape = (image.shape[1] // CELL, image.shape[2] // CELL)
    edge = grown(box, reach_of(lift), *shape)
    at = (..., *within(edge, around).slices)
    sources = after.sources[at]
    copied = widened(sources, shape)
    here = image[(slice(None), *in_pixels(edge).slices)]
    observed = _tensor(filled_from(image, here, copied))
    present = to_low(observed)
    drawn = after.changed[at] & (sources[0] < 0)
    known = torch.from_numpy(drawn)[None, None]
    spread, wide = spread_out(_tensor(after.colours[at]), known, _CONTEXT)
    wide = wide & torch.from_numpy(copied[0] < 0)
    lifted = lift(observed, present, torch.where(wide, spread, present))[0].cpu().numpy()
    row, col = np.nonzero(new)
    down, across = row + CELL * (box.row - block.row), col + CELL * (box.col - block.col)
    # What is beyond the grid is only there to fill the last cells and tiles.
    real = (down < stored.shape[1]) & (across < stored.shape[2])
    row, col, down, across = row[real], col[real], down[real], across[real]
    top, left = CELL * (box.row - edge.row), CELL * (box.col - edge.col)
    values = lifted[:, row + top, col + left]
    share, old = new[row, col], encoding.decode(stored[:, down, across])
    stored[:, down, across] = encoding.encode(share * values + (1 - share) * old)


def _tensor(values: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.array(values))[None]
