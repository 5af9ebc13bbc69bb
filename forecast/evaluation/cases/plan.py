"""Which forecasts of a place are scored: from which date to which, and by which dates around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CasePlan", "dates_around", "older_dates", "plan_cases"]

_HORIZONS = (1.0, 3.0, 7.0, 10.0)
_OLDER = (3.0, 8.0)
"""Ages of the images that the rule "changed before" compares with, in years."""

_MANY_DATES, _SPARSE_YEARS = 15, 4.0


@dataclass(frozen=True)
class CasePlan:
    """One forecast of one place, as positions among its dates.

    Attributes:
        start: The present.
        target: The date that is forecast.
        before: Dates up to the start that tell what the ground looked like, the start last.
        after: Dates from the target on that tell what it looks like then.
        older: Dates about 3 and 8 years before the start.
    """

    start: int
    target: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    older: tuple[int, ...]


def dates_around(years: NDArray[np.float64]) -> int:
    """How many dates on either side tell what lasts.

    More where a series has many, as fields rotate; fewer where they are years apart, as the ground
    itself moves between them: 5 of fifteen dates and more, 2 where the middle gap is four years
    or more, else 3.
    """
    if len(years) >= _MANY_DATES:
        return 5
    return 2 if float(np.median(np.diff(years))) >= _SPARSE_YEARS else 3


def older_dates(years: NDArray[np.float64], start: int) -> tuple[int, ...]:
    """Positions of the dates nearest to 3 and 8 years before the start, oldest first."""
    if start == 0:
        return ()
    ages = years[start] - years[:start]
    # Of two dates equally near the older is taken.
    return tuple(sorted({int(np.argmin(np.abs(ages - age))) for age in _OLDER}))


def plan_cases(years: NDArray[np.float64], *, starts: int = 3) -> list[CasePlan]:
    """Choose starts spread over a series, and for each the dates nearest 1, 3, 7 and 10 years on.

    A start has an earlier date. Targets have a further date after them, so that what swings back
    does not count as lasting; a series too short for that ends at its last date.

    Args:
        years: `(d,)` decimal years, ascending.
        starts: Starts at most.

    Returns:
        Cases in the order of time; none of fewer than three dates.
    """
    last = len(years) - 1
    if last < 2:
        return []
    least_after = 2 if last >= 3 else 1
    around = dates_around(years)
    possible = np.arange(1, last - least_after + 1)
    # The middle of each of as many equal parts.
    parts = np.array_split(possible, min(starts, len(possible)))
    found = []
    for start in (int(part[len(part) // 2]) for part in parts):
        ahead = years[start + 1 : last - least_after + 2] - years[start]
        targets = sorted({start + 1 + int(np.argmin(np.abs(ahead - h))) for h in _HORIZONS})
        found += [case_at(years, start, target, around) for target in targets]
    return found


def case_at(years: NDArray[np.float64], start: int, target: int, around: int) -> CasePlan:
    """The case of a given start and target, with at most `around` dates on either side."""
    return CasePlan(
        start,
        target,
        before=tuple(range(max(0, start + 1 - around), start + 1)),
        after=tuple(range(target, min(len(years), target + around))),
        older=older_dates(years, start),
    )
