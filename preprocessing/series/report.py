"""What the preparation of series kept and dropped, as JSON and as text."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from preprocessing.running.counted import counted
from preprocessing.running.files import strict

__all__ = ["DateReport", "PlaceReport", "SeriesReport"]


@dataclass(frozen=True)
class DateReport:
    """What became of one date.

    Attributes:
        date: The date.
        dropped: Why it is not in the store, or empty.
        shift_px: Length of the shift that was removed.
        residual_px: Shift that is left, measured again; NaN where it cannot be measured.
        score: Score of the shift's estimate, see `Shift`.
        valid: Share of the place's pixels that were observed.
    """

    date: dt.date
    dropped: str = ""
    shift_px: float = math.nan
    residual_px: float = math.nan
    score: float = math.nan
    valid: float = math.nan


@dataclass(frozen=True)
class PlaceReport:
    """What became of one place.

    Attributes:
        name: Name of the place.
        dataset: Collection it belongs to.
        split: Split it went to.
        dates: Every date that was listed.
        dropped: Why the place is not in the store, or empty.
        reference: Date that the others were registered to.
        height: Rows.
        width: Columns.
        gsd_m: Metres per pixel, NaN where unknown.
        tiles: Tiles of 128 px.
        value_range: Stored values taken for black and white where they had to be measured.
        seconds: Time taken.
    """

    name: str
    dataset: str
    split: str
    dates: tuple[DateReport, ...]
    dropped: str = ""
    reference: dt.date | None = None
    height: int = 0
    width: int = 0
    gsd_m: float = math.nan
    tiles: int = 0
    value_range: tuple[float, float] | None = None
    seconds: float = 0.0

    @property
    def kept(self) -> list[DateReport]:
        """Dates in the store."""
        return [] if self.dropped else [date for date in self.dates if not date.dropped]


@dataclass(frozen=True)
class SeriesReport:
    """What became of all places of one store.

    Attributes:
        store: Name of the store's folder.
        places: One report a place.
        config: Settings, JSON values.
        seconds: Time taken in all.
    """

    store: str
    places: tuple[PlaceReport, ...]
    config: dict[str, Any]
    seconds: float

    @property
    def kept(self) -> list[PlaceReport]:
        """Places in the store."""
        return [place for place in self.places if not place.dropped]

    def as_json(self) -> str:
        """Every place with every date."""
        places = [_values(place) for place in self.places]
        content = {
            "store": self.store,
            "seconds": round(self.seconds, 2),
            "config": self.config,
            "places": places,
        }
        return json.dumps(content, indent=1, allow_nan=False)

    def as_text(self) -> str:
        """Totals by data set, then what was dropped and why."""
        listed = sum(len(place.dates) for place in self.places)
        kept = sum(len(place.kept) for place in self.kept)
        lines = [
            f"{self.store}: {kept} of {listed} dates of {len(self.kept)} of {len(self.places)} "
            f"places kept, {self.seconds:.1f} s",
            "",
            f"  {'data set':<24}{'split':<7}{'places':>7}{'dates':>7}{'tiles':>7}"
            f"{'moved px':>10}{'left px':>9}{'s':>8}",
        ]
        groups: dict[tuple[str, str], list[PlaceReport]] = {}
        for place in self.places:
            groups.setdefault((place.dataset, place.split), []).append(place)
        lines += [_line(dataset, split, places) for (dataset, split), places in groups.items()]
        lines.append("  moved, left: largest shift that was removed, and that is left")
        for place in self.kept:
            if place.value_range is not None:
                low, high = place.value_range
                lines.append(f"  {place.name}: values {low:g} to {high:g} measured over all dates")
        unmeasured = sum(
            1
            for place in self.kept
            for date in place.kept
            if math.isnan(date.residual_px) and date.date != place.reference
        )
        if unmeasured:
            lines.append(f"  {unmeasured} dates left as they lie: no shift stands out")
        lines += self._losses()
        return "\n".join(lines) + "\n"

    def _losses(self) -> list[str]:
        dates = [(p, d) for p in self.kept for d in p.dates if d.dropped]
        lines = ["", f"  {counted(len(dates), 'date')} dropped" + (":" if dates else "")]
        lines += [f"    {p.dataset}/{p.name}/{d.date}: {d.dropped}" for p, d in dates]
        lost = [place for place in self.places if place.dropped]
        if lost:
            lines += ["", f"  {counted(len(lost), 'place')} dropped:"]
            lines += [f"    {place.dataset}/{place.name}: {place.dropped}" for place in lost]
        return lines


def _line(dataset: str, split: str, places: list[PlaceReport]) -> str:
    kept = [place for place in places if not place.dropped]
    dates = [date for place in kept for date in place.kept]
    moved = _most([date.shift_px for date in dates])
    left = _most([date.residual_px for date in dates])
    return (
        f"  {dataset:<24}{split:<7}{len(kept):>7}{len(dates):>7}"
        f"{sum(place.tiles for place in kept):>7}{moved:>10}{left:>9}"
        f"{sum(place.seconds for place in places):>8.1f}"
    )


def _most(values: list[float]) -> str:
    known = [value for value in values if math.isfinite(value)]
    return f"{np.max(known):.2f}" if known else "-"


def _values(item: PlaceReport | DateReport) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in vars(item).items():
        if key == "dates":
            found[key] = [_values(date) for date in value]
        elif isinstance(value, dt.date):
            found[key] = value.isoformat()
        else:
            found[key] = strict(round(value, 4) if isinstance(value, float) else value)
    return found
