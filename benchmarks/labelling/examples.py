"""Examples to learn lasting change from: simulated worlds, whose covers are known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.labelling.looks import Palette, another_look
from preprocessing.lasting_change.classifier import LEAST_DATES
from preprocessing.lasting_change.dated_cells import DatedCells
from preprocessing.lasting_change.features import series_features
from preprocessing.lasting_change.labelling import MOST_DATES
from preprocessing.lasting_change.rule import smallest_difference
from preprocessing.lasting_change.truth import LASTS_YEARS, cover_changed_lastingly

__all__ = ["Example", "KnownSeries", "draw_example"]

_FURTHEST = 10
"""Dates from the start to the furthest target."""
_CLOUDED = 0.25
_CLOUD_PX = 12
"""Standard deviation of the kernel that clouds are smoothed with."""


@dataclass(frozen=True)
class KnownSeries:
    """Images of a world and the covers they show.

    Attributes:
        years: `(d,)` decimal years, ascending.
        images: `(d, 3, H, W)` uint8.
        valid: `(d, H, W)` bool.
        covers: `(d, H, W)` uint8 codes of `preprocessing.simulator.Cover`.
    """

    years: NDArray[np.float64]
    images: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    covers: NDArray[np.uint8]


@dataclass(frozen=True)
class Example:
    """A pair of dates of one world.

    Attributes:
        features: `(f, h, w)` float32 of `series_features`.
        changed: `(h, w)` bool, the truth.
        known: `(h, w)` bool, cells with enough dates.
        difference: `(h, w)` float32, `smallest_difference`, what the plain rule goes by.
        horizon: Years between the dates.
    """

    features: NDArray[np.float32]
    changed: NDArray[np.bool_]
    known: NDArray[np.bool_]
    difference: NDArray[np.float32]
    horizon: float


def draw_example(
    series: KnownSeries,
    rng: np.random.Generator,
    palette: Palette | None = "mixed",
    dates: int | None = None,
) -> Example:
    """Draw dates, a look and clouds, and take the features.

    Args:
        series: Four dates or more.
        rng: What is drawn.
        palette: As in `another_look`; None leaves the images as they are, and cloudless.
        dates: Dates on either side, or half of all. Default: drawn, two to five.
    """
    before, after = _draw_dates(len(series.years), rng, dates)
    chosen = before + after
    look, valid = series.images[chosen], series.valid[chosen]
    if palette is not None:
        look = another_look(look, rng, palette)
        valid = valid & ~_clouds(valid.shape, rng)
    shown = KnownSeries(series.years[chosen], look, valid, series.covers[chosen])
    cells = DatedCells.of_place(shown).in_colours_of(len(before) - 1)
    earlier = cells.of(range(len(before)))
    later = cells.of(range(len(before), len(chosen)))
    known = earlier.valid.sum(axis=0) >= LEAST_DATES
    known &= later.valid.sum(axis=0) >= LEAST_DATES
    start, target = series.years[before[-1]], series.years[after[0]]
    first = min(series.years[before[0]], start - LASTS_YEARS)
    last = max(series.years[after[-1]], target + LASTS_YEARS)
    truth = cover_changed_lastingly(
        series.covers[(series.years >= first) & (series.years <= start)],
        series.covers[(series.years >= target) & (series.years <= last)],
    )
    difference = smallest_difference(earlier.means, later.means, earlier.valid, later.valid)
    features = series_features(earlier, later)
    return Example(features, truth, known, difference, float(target - start))


def _draw_dates(
    dates: int, rng: np.random.Generator, fixed: int | None = None
) -> tuple[list[int], list[int]]:
    """Dates up to a start and from a target on, each or every other; or so many, if there are."""
    least = min(fixed, dates // 2) if fixed else LEAST_DATES
    start = int(rng.integers(least - 1, dates - least))
    furthest = min(dates - least, start + _FURTHEST)
    target = int(rng.integers(start + 1, furthest + 1))
    counts, step = rng.integers(LEAST_DATES, MOST_DATES + 1, 2), int(rng.choice([1, 1, 1, 2]))
    if fixed is not None:
        counts, step = np.array([least, least]), 1
    before = [start - step * k for k in range(int(counts[0])) if start >= step * k][::-1]
    after = [target + step * k for k in range(int(counts[1])) if target + step * k < dates]
    if len(before) < LEAST_DATES or len(after) < LEAST_DATES:
        return _draw_dates(dates, rng, fixed)
    return before, after


def _clouds(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Round patches that hide up to half of each date, in a quarter of all series."""
    hidden = np.zeros(shape, bool)
    if rng.random() < _CLOUDED:
        for date in hidden:
            field = cv2.GaussianBlur(rng.standard_normal(date.shape, np.float32), (0, 0), _CLOUD_PX)
            date |= field > np.quantile(field, 1 - 0.5 * rng.random() ** 2)
    return hidden
