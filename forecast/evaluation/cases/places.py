"""The places of a series store that are scored, and their cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from forecast.evaluation.cases.case import SeriesCase, build_cases
from forecast.evaluation.cases.plan import plan_cases
from preprocessing.series import PlaceSeries, SeriesStore
from preprocessing.tiles.cells import CELL

__all__ = ["cases_of", "middle", "place_of", "places_to_score", "window"]


def place_of(name: str) -> str:
    """What counts as one place: `city/017` is a part of `city`."""
    return name.partition("/")[0]


def places_to_score(
    store: SeriesStore, *, splits: Sequence[str], parts: int, seed: int = 0
) -> list[str]:
    """Names of the places of three dates and more.

    Args:
        store: Series.
        splits: Those asked for.
        parts: Of a place that is stored in many parts (`city/017`) at most so many, at random.
        seed: Of that choice.
    """
    grouped: dict[str, list[str]] = defaultdict(list)
    for name, label in store.labels.items():
        if label.split in splits and len(label.dates) > 2:
            grouped[place_of(name)].append(name)
    generator = np.random.default_rng([seed, 8])
    return [
        name
        for names in grouped.values()
        for name in sorted(generator.permutation(names).tolist()[:parts])
    ]


def cases_of(
    store: SeriesStore, names: Sequence[str], *, starts: int = 3, side_px: int | None = None
) -> Iterator[SeriesCase]:
    """Read places one after the other and make their cases.

    Args:
        store: Series.
        names: Places.
        starts: Starts a place at most, see `plan_cases`.
        side_px: Only the middle of larger places; where forecasting all of it would take long.
    """
    for name in names:
        place = store.place(name)
        place = place if side_px is None else middle(place, side_px)
        yield from build_cases(place, plan_cases(place.years, starts=starts))


def middle(place: PlaceSeries, side_px: int) -> PlaceSeries:
    """The middle of a place, at most `side_px` (whole cells) high and wide."""
    rows, cols = window(place, side_px)
    return replace(place, images=place.images[..., rows, cols], valid=place.valid[..., rows, cols])


def window(place: PlaceSeries, side_px: int) -> tuple[slice, slice]:
    """Rows and columns of `middle`."""
    height, width = place.valid.shape[-2:]
    side = side_px // CELL * CELL
    return _middle(height, side), _middle(width, side)


def _middle(size: int, side: int) -> slice:
    kept = min(size, side)
    first = (size - kept) // 2 // CELL * CELL
    return slice(first, first + kept)
