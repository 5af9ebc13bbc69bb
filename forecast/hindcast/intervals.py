"""Which earlier intervals of a region, and which of its blocks, are learnt from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.hindcast.past import Past
from forecast.region.windows import cut
from preprocessing.rasters.window import Window

__all__ = ["BLOCK", "past_intervals", "sampled_blocks"]

BLOCK = 128
"""Cells along what is held in memory at once."""
_BLOCKS = 24
_HORIZONS = (1, 2, 3, 5, 7, 10)
_TOLERANCE = 0.35
"""Of the years that a pair of dates may be off its horizon."""


def past_intervals(past: Past) -> list[tuple[int, int]]:
    """Pairs of dates, some of the horizons apart, whose change two dates on either side tell."""
    last = len(past) - 2
    return [(start, end) for start in range(1, last) for end in _ends(past.years, start, last)]


def sampled_blocks(past: Past) -> list[Window]:
    """Blocks that stand for a region: all of it if it is small."""
    blocks = cut(*past.shape, BLOCK)
    return blocks[:: -(-len(blocks) // _BLOCKS)]


def _ends(years: NDArray[np.float64], start: int, last: int) -> list[int]:
    """Dates after a start that lie some of the horizons later, up to the date `last`."""
    ahead = years - years[start]
    ends = {
        int(np.abs(ahead[start + 1 : last + 1] - horizon).argmin()) + start + 1
        for horizon in _HORIZONS
        if last > start
    }
    return sorted(
        end for end in ends if min(abs(ahead[end] / h - 1) for h in _HORIZONS) <= _TOLERANCE
    )
