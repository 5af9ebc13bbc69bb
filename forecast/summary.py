"""What an ensemble says: mean and spread of each pixel, how far each member is from the mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.region.windows import cut, strips
from preprocessing.rasters.cog import BLOCK_PX
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.running.executor import in_threads

__all__ = ["Summary", "distances_to_mean", "summarize", "summarize_region"]


@dataclass(frozen=True)
class Summary:
    """Statistics over the members of one block.

    Attributes:
        mean: `(3, h, w)`, 0..1.
        spread: `(h, w)`, sample standard deviation, root mean square over the bands; 0 for one
            member.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]


def summarize(members: NDArray[np.float32]) -> Summary:
    """Summarize a block of members `(m, 3, h, w)`, 0..1."""
    mean = members.mean(axis=0)
    spread = np.zeros(mean.shape[1:], np.float32)
    if len(members) > 1:
        spread = np.sqrt(members.var(axis=0, ddof=1).mean(axis=0))
    return Summary(mean, spread)


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
    encoding: Encoding,
    mean: NDArray[Any],
    spread: NDArray[np.float32],
    threads: int,
) -> float:
    """Summarize stored values block by block; the mean keeps those that no member changes.

    Blocks without a valid pixel are left as they are.

    Args:
        members: `(3, height, width)` stored values of each.
        start: `(3, height, width)` stored values of the start.
        valid: `(height, width)`.
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
        found = summarize(encoding.decode(values))
        same = (values == before).all(axis=0)
        mean[at] = np.where(same, before, encoding.encode(found.mean))
        spread[at] = found.spread[None] * (encoding.high - encoding.low)
        return float(spread[at][0, seen].max(initial=0))

    return max(in_threads(block, cut(valid.shape[0], valid.shape[1], BLOCK_PX), threads))
