"""From which dates of a place's past forecasts start, and which later dates they are held to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HORIZONS", "LEAST_DATES", "PlannedStart", "plan_starts"]

HORIZONS = (1, 3, 5, 7, 10)
"""Years ahead that skill is told by."""
LEAST_DATES = 4
"""One before a start, the start, and two that tell what lasted."""
_TOLERANCE = 0.35
"""Of the years that a later date may be off its horizon."""


@dataclass(frozen=True)
class PlannedStart:
    """A start and what it is held to.

    Attributes:
        date: Position of the start among the dates.
        ends: Positions of later dates by the horizon in years that each stands for, ascending.
    """

    date: int
    ends: dict[int, int]


def plan_starts(
    years: NDArray[np.float64], *, starts: int = 5, longest: int = max(HORIZONS)
) -> list[PlannedStart]:
    """Spread starts over a series, each with the dates nearest to the horizons.

    A start has half of the dates before it where that can be: skill grows with the dates known.
    After every end there is a further date, so that what swings back does not count as lasting.

    Args:
        years: `(d,)` decimal years, ascending; only differences count.
        starts: At most so many.
        longest: Horizon in years; none is longer.

    Returns:
        In the order of time; none where the dates are too few.
    """
    last = len(years) - 2
    ends = {date: _ends(years, date, last, longest) for date in range(1, last)}
    able = [date for date, found in ends.items() if found]
    able = [date for date in able if date >= len(years) // 2] or able[-starts:]
    if not able:
        return []
    chosen = np.unique(np.linspace(0, len(able) - 1, min(starts, len(able))).round().astype(int))
    return [PlannedStart(able[number], ends[able[number]]) for number in chosen]


def _ends(years: NDArray[np.float64], start: int, last: int, longest: int) -> dict[int, int]:
    """Of the dates that stand for a horizon the nearest to it; each stands for one at most."""
    nearest: dict[int, int] = {}
    for end in range(start + 1, last + 1):
        off = {h: abs((years[end] - years[start]) / h - 1) for h in HORIZONS}
        horizon = min(HORIZONS, key=lambda h: off[h])
        known = nearest.get(horizon)
        nearer = known is None or off[horizon] < abs((years[known] - years[start]) / horizon - 1)
        if horizon <= longest and off[horizon] <= _TOLERANCE and nearer:
            nearest[horizon] = end
    return nearest
