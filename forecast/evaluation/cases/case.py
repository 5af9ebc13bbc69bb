"""A place at a start and a target: the past in one light, and what came."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.cases.plan import CasePlan
from preprocessing.lasting_change import DatedCells, changed_lastingly
from preprocessing.series import PlaceSeries
from preprocessing.tiles.cells import cell_means

__all__ = ["SeriesCase", "build_case", "build_cases"]

_BUILT_SHARE = 0.25
"""Share of a cell's pixels within a mask from which the cell counts as built."""

Fields = NDArray[np.float32]
Map = NDArray[np.bool_]


@dataclass(frozen=True)
class SeriesCase:
    """One forecast of one place. Colours are those of the start, in grey levels of 255.

    Attributes:
        past: Dates up to the start, in their own colours, as a forecaster may see them; the last
            is the present.
        years: Horizon.
        present: `(3, h, w)`, means of the present over cells.
        truth: `(3, h, w)`, the target.
        seen: `(h, w)` cells valid at start and target.
        earlier: `(e, 3, h, w)` dates before the start, oldest first.
        earlier_seen: `(e, h, w)` their valid cells.
        older: Positions in `earlier` of those about 3 and 8 years before the start.
        event: `(h, w)` where the ground changed lastingly between start and target.
        known: `(h, w)` where that is known.
        later_dates: Dates from the target on that tell of it; with one, what swings back counts
            as change. 0: a mask drawn by people.
        already: `(h, w)` what spreads, as it stands at the start, where covers are known.
    """

    past: PlaceSeries
    years: float
    present: Fields
    truth: Fields
    seen: Map
    earlier: Fields
    earlier_seen: Map
    older: tuple[int, ...]
    event: Map
    known: Map
    later_dates: int
    already: Map | None = None

    @property
    def place(self) -> str:
        """Name of the place."""
        return self.past.name

    @property
    def start(self) -> float:
        """Decimal year of the present."""
        return float(self.past.years[-1])

    @property
    def ago(self) -> NDArray[np.float64]:
        """`(e,)` years of the earlier dates before the start."""
        return np.asarray(self.start - self.past.years[:-1])

    def generator(self, seed: int, stream: int) -> np.random.Generator:
        """A source of random numbers, a function of seed, stream and the case alone."""
        key = zlib.crc32(f"{self.past.dataset}/{self.place}/{self.start}/{self.years}".encode())
        return np.random.default_rng([seed, stream, key])


def build_cases(place: PlaceSeries, plans: Sequence[CasePlan]) -> Iterator[SeriesCase]:
    """Bring all dates of a place to the colours of each start, and compare.

    Args:
        place: Registered dates in their own colours.
        plans: Positions among them, those of one start together.
    """
    dates = DatedCells.of_place(place)
    for start, together in groupby(plans, key=lambda plan: plan.start):
        looks = dates.in_colours_of(start)
        for plan in together:
            yield _case(place, plan, looks)


def build_case(
    place: PlaceSeries, plan: CasePlan, *, mask: Map | None = None, already: Map | None = None
) -> SeriesCase:
    """One case.

    Args:
        place: Registered dates in their own colours.
        plan: Positions among them.
        mask: `(H, W)` of what changed between start and target, drawn by people, in place of the
            rule; such a case is scored and never learnt from.
        already: `(h, w)` what spreads, where covers are known.
    """
    looks = DatedCells.of_place(place).in_colours_of(plan.start)
    return _case(place, plan, looks, mask=mask, already=already)


def _case(
    place: PlaceSeries,
    plan: CasePlan,
    looks: DatedCells,
    *,
    mask: Map | None = None,
    already: Map | None = None,
) -> SeriesCase:
    cells, seen = looks.means, looks.valid
    both = seen[plan.start] & seen[plan.target]
    if mask is None:
        before, after = looks.of(plan.before), looks.of(plan.after)
        event = changed_lastingly(before.means, after.means, before.valid, after.valid)
        least = min(2, len(plan.after))  # Dates on either side without which it is not known.
        known = (before.valid.sum(axis=0) >= least) & (after.valid.sum(axis=0) >= least)
    else:
        event, known = cell_means(mask) > _BUILT_SHARE, both
    return SeriesCase(
        past=place.at(slice(0, plan.start + 1)),
        years=float(place.years[plan.target] - place.years[plan.start]),
        present=cells[plan.start],
        truth=cells[plan.target].clip(0, 255),
        seen=both,
        earlier=cells[: plan.start],
        earlier_seen=seen[: plan.start],
        older=plan.older,
        event=event & known,
        known=known,
        later_dates=len(plan.after) if mask is None else 0,
        already=already,
    )
