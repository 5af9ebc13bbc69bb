"""What an ensemble says: mean and spread of each pixel, how far each member is from the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from forecast.region.windows import cut, strips
from preprocessing.rasters.cog import BLOCK_PX
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.running.executor import in_threads
from preprocessing.tiles.cells import CELL

__all__ = [
    "between_cells",
    "distances_to_mean",
    "expected_state",
    "spread_of",
    "summarize_region",
]


def expected_state(
    start: NDArray[np.float32], members: NDArray[np.float32], chance: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The mean of all futures that are possible, of which members are a few.

    Ground becomes what the members that change it show, as likely as it is to change. In the plain
    mean it changes as often as few members happened to draw; where that is unlikely it errs more
    than the start. So the chance is taken as it is known (Rao-Blackwellization, Casella and Robert
    1996).

    Args:
        start: `(3, h, w)`.
        members: `(m, 3, h, w)`, equal to the start where ground has not changed.
        chance: `(h, w)` that it has, 0..1.

    Returns:
        `(3, h, w)`; the start where no member changes.
    """
    apart, changing = np.zeros_like(start), np.zeros(chance.shape, np.int32)
    for member in members:
        difference = member - start
        apart += difference
        changing += difference.any(axis=0)
    return np.asarray(start + apart * (chance / np.maximum(changing, 1)), dtype=np.float32)


def spread_of(members: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sample standard deviation `(h, w)` of members `(m, 3, h, w)`; 0 for one member.

    Root mean square over the bands.
    """
    if len(members) == 1:
        return np.zeros(members.shape[2:], np.float32)
    # Taken from the first, so that equal members have none to the last bit.
    apart = members - members[0]
    return np.asarray(np.sqrt(apart.var(axis=0, ddof=1).mean(axis=0)))


def between_cells(values: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """Values of cells `(h, w)` at the pixels of a window, interpolated between their middles.

    Args:
        values: Of all cells of the region.
        window: In pixels, from a whole cell on.
    """
    row, col = window.row // CELL, window.col // CELL
    rows, cols = (
        np.arange(first - 1, first + 1 - -size // CELL).clip(0, limit - 1)
        for first, size, limit in zip(
            (row, col), (window.height, window.width), values.shape, strict=True
        )
    )
    around = torch.from_numpy(values[np.ix_(rows, cols)])[None, None]
    fine = F.interpolate(around, scale_factor=CELL, mode="bilinear", align_corners=False)
    return fine[0, 0, CELL : CELL + window.height, CELL : CELL + window.width].numpy().copy()


def distances_to_mean(members: Sequence[Parts], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Summed square distance of each member to the mean of all.

    Args:
        members: `(3, h, w)` colours of the cells of each.
        seen: `(h, w)` cells that count.
    """
    found, (height, width) = np.zeros(len(members)), seen.shape
    for rows in strips((height, len(members) * width)):
        colours = np.stack([member[:, rows] for member in members])
        apart = np.where(seen[rows], colours - colours.mean(axis=0), 0)
        found += (apart**2).sum(axis=(1, 2, 3), dtype=np.float64)
    return found


def summarize_region(
    members: Sequence[Parts],
    start: NDArray[Any],
    valid: NDArray[np.bool_],
    chance: NDArray[np.float32],
    encoding: Encoding,
    mean: NDArray[Any],
    spread: NDArray[np.float32],
    threads: int,
) -> float:
    """`expected_state` and `spread_of` of stored values, block by block.

    Blocks without a valid pixel are left as they are.

    Args:
        members: `(3, height, width)` stored values of each.
        start: `(3, height, width)` stored values of the start.
        valid: `(height, width)`.
        chance: Of cells, that they have changed.
        encoding: How values are stored.
        mean: `(3, height, width)` that is filled, stored values.
        spread: `(1, height, width)` that is filled, in the units of stored values.
        threads: Blocks that are worked on side by side.

    Returns:
        The widest spread of valid pixels.
    """

    def block(window: Window) -> float:
        at, seen = (slice(None), *window.slices), valid[window.slices]
        if not seen.any():
            return 0.0
        values, before = np.stack([member[at] for member in members]), start[at]
        states = encoding.decode(values)
        found = expected_state(encoding.decode(before), states, between_cells(chance, window))
        same = (values == before).all(axis=0)
        mean[at] = np.where(same, before, encoding.encode(found))
        spread[at] = spread_of(states)[None] * (encoding.high - encoding.low)
        return float(spread[at][0, seen].max(initial=0))

    return max(in_threads(block, cut(valid.shape[0], valid.shape[1], BLOCK_PX), threads))
