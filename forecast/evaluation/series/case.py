"""A place at a start and a target: the past in one light, and what came."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.series.lasting import changed_lastingly
from forecast.evaluation.series.plan import CasePlan
from preprocessing.cells import cell_means, cells_valid
from preprocessing.colour_map import ColourMap

__all__ = ["SeriesCase", "build_case", "case_of_mask"]

_BUILT_SHARE = 0.25
"""Share of a cell's pixels within a mask from which the cell counts as built."""

Fields = NDArray[np.float32]
Map = NDArray[np.bool_]


class Series(Protocol):
    """A registered series of one place, see `preprocessing.series.PlaceSeries`."""

    name: str
    dataset: str
    split: str
    gsd_m: float
    years: NDArray[np.float64]
    images: NDArray[np.uint8]
    valid: Map


@dataclass(frozen=True)
class SeriesCase:
    """One forecast of one place. Colours are those of the start, in grey levels of 255.

    Attributes:
        place: Name.
        dataset: Where it is from.
        split: `train` or `val`.
        gsd_m: Metres per pixel, NaN where not known.
        start: Decimal year of the present.
        years: Horizon.
        image: `(3, H, W)` uint8, the present.
        valid: `(H, W)` its valid pixels.
        present: `(3, h, w)`, its means over cells.
        truth: `(3, h, w)`, the target.
        seen: `(h, w)` cells valid at start and target.
        earlier: `(e, 3, h, w)` dates before the start, oldest first.
        earlier_seen: `(e, h, w)` their valid cells.
        ago: `(e,)` their years before the start.
        older: Positions in `earlier` of those about 3 and 8 years before the start.
        event: `(h, w)` where the ground changed lastingly between start and target.
        known: `(h, w)` where that is known.
        later_dates: Dates from the target on that tell of it; with one, what swings back counts
            as change. 0: a mask drawn by people.
        already: `(h, w)` what spreads, as it stands at the start, where covers are known.
    """

    place: str
    dataset: str
    split: str
    gsd_m: float
    start: float
    years: float
    image: NDArray[np.uint8]
    valid: Map
    present: Fields
    truth: Fields
    seen: Map
    earlier: Fields
    earlier_seen: Map
    ago: NDArray[np.float64]
    older: tuple[int, ...]
    event: Map
    known: Map
    later_dates: int
    already: Map | None = None

    def generator(self, seed: int, stream: int) -> np.random.Generator:
        """A source of random numbers, a function of seed, stream and the case alone."""
        key = zlib.crc32(f"{self.dataset}/{self.place}/{self.start}/{self.years}".encode())
        return np.random.default_rng([seed, stream, key])


def build_case(place: Series, plan: CasePlan) -> SeriesCase:
    """Bring all dates of a plan to the colours of its start.

    Args:
        place: Registered dates in their own colours.
        plan: Positions among them.

    Raises:
        NoValidPixelsError: A date and the start share too little ground.
    """
    view = _View(place, plan.start)
    event, known = changed_lastingly(
        *view.stack(plan.before), *view.stack(plan.after), least_dates=min(2, len(plan.after))
    )
    return _case(place, plan, view, event, known, later_dates=len(plan.after))


def case_of_mask(place: Series, plan: CasePlan, mask: Map) -> SeriesCase:
    """The same with a mask `(H, W)` of what changed, drawn by people; to score, never to train."""
    event = cell_means(mask) > _BUILT_SHARE
    view = _View(place, plan.start)
    return _case(place, plan, view, event, view.seen(plan.start), later_dates=0)


class _View:
    """Cells of a place in the colours of one date."""

    def __init__(self, place: Series, start: int) -> None:
        self._place = place
        self._cells = cell_means(place.images[start])
        self._valid = cells_valid(place.valid[start])
        self._mapped: dict[int, Fields] = {start: self._cells}

    def seen(self, date: int) -> Map:
        return cells_valid(self._place.valid[date])

    def cells(self, date: int) -> Fields:
        if date not in self._mapped:
            cells = cell_means(self._place.images[date])
            colours = ColourMap.fit(cells, self._cells, self._valid & self.seen(date))
            self._mapped[date] = colours.apply(cells)
        return self._mapped[date]

    def stack(self, dates: tuple[int, ...] | range) -> tuple[Fields, Map]:
        shape = self._cells.shape
        cells = [self.cells(date) for date in dates]
        seen = [self.seen(date) for date in dates]
        return (
            np.stack(cells) if cells else np.empty((0, *shape), np.float32),
            np.stack(seen) if seen else np.empty((0, *shape[1:]), bool),
        )


def _case(
    place: Series, plan: CasePlan, view: _View, event: Map, known: Map, *, later_dates: int
) -> SeriesCase:
    earlier, earlier_seen = view.stack(range(plan.start))
    return SeriesCase(
        place=place.name,
        dataset=place.dataset,
        split=place.split,
        gsd_m=place.gsd_m,
        start=float(place.years[plan.start]),
        years=float(place.years[plan.target] - place.years[plan.start]),
        image=place.images[plan.start],
        valid=place.valid[plan.start],
        present=view.cells(plan.start),
        truth=view.cells(plan.target).clip(0, 255),
        seen=view.seen(plan.start) & view.seen(plan.target),
        earlier=earlier,
        earlier_seen=earlier_seen,
        ago=place.years[plan.start] - place.years[: plan.start],
        older=plan.older,
        event=event & known,
        known=known,
        later_dates=later_dates,
    )
