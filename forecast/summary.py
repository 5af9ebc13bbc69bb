"""What an ensemble says of each pixel: mean, spread, and which member is nearest the mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.region.windows import cut
from preprocessing.rasters.cog import BLOCK_PX
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.running.executor import in_threads

__all__ = ["Summary", "summarize", "summarize_region"]


@dataclass(frozen=True)
class Summary:
    """Statistics over the members of one block.

    Attributes:
        mean: `(3, h, w)`, 0..1.
        spread: `(h, w)`, sample standard deviation, root mean square over the bands; 0 for one
            member.
        distance: `(m,)`, summed square distance of each member to the mean over valid pixels.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    distance: NDArray[np.float64]


def summarize(members: NDArray[np.float32], valid: NDArray[np.bool_]) -> Summary:
    """Summarize a block.

    Args:
        members: `(m, 3, h, w)`, 0..1.
        valid: `(h, w)`.
    """
    mean = members.mean(axis=0)
    spread = np.zeros(mean.shape[1:], np.float32)
    if len(members) > 1:
        spread = np.sqrt(members.var(axis=0, ddof=1).mean(axis=0))
    distance = ((members - mean) ** 2)[:, :, valid].sum(axis=(1, 2), dtype=np.float64)
    return Summary(mean, spread, distance)


def summarize_region(
    members: Sequence[Parts],
    start: NDArray[Any],
    valid: NDArray[np.bool_],
    encoding: Encoding,
    mean: NDArray[Any],
    spread: NDArray[np.float32],
    threads: int,
) -> tuple[NDArray[np.float64], float]:
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
        `(m,)` square distance of each member to the mean, and the widest spread of valid pixels.
    """

    def block(window: Window) -> tuple[NDArray[np.float64], float]:
        at, seen = (slice(None), *window.slices), valid[window.slices]
        if not seen.any():
            return np.zeros(len(members)), 0.0
        values, before = np.stack([member[at] for member in members]), start[at]
        found = summarize(encoding.decode(values), seen)
        same = (values == before).all(axis=0)
        mean[at] = np.where(same, before, encoding.encode(found.mean))
        spread[at] = found.spread[None] * (encoding.high - encoding.low)
        return found.distance, float(spread[at][0, seen].max(initial=0))

    distance, widest = np.zeros(len(members)), 0.0
    for apart, most in in_threads(block, cut(valid.shape[0], valid.shape[1], BLOCK_PX), threads):
        distance, widest = distance + apart, max(widest, most)
    return distance, widest
