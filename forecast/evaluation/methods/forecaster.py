"""Where a forecaster of whole places is plugged in: the past in, one year after the other out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.method import CaseMethod
from forecast.summary import between_cells, expected_state
from preprocessing.rasters.window import Window
from preprocessing.series import PlaceSeries
from preprocessing.tiles.cells import cell_means

__all__ = ["ForecastYear", "PlaceForecaster", "forecaster_method"]

_TIE = 1e-6
"""Probability that a grey level of change of the mean is worth, to rank cells that tie."""


class ForecastYear(NamedTuple):
    """One year of a forecast.

    Attributes:
        states: `(m, 3, H, W)` uint8, the members.
        probability: `(h, w)` float32 that the ground has changed lastingly since the start.
        observations: `(k, 3, h, w)` float32 what a sensor may see of the states, as means over
            cells in grey levels; None where the forecaster does not tell them apart.
    """

    states: NDArray[np.uint8]
    probability: NDArray[np.float32]
    observations: NDArray[np.float32] | None = None


class PlaceForecaster(Protocol):
    """Anything that forecasts a place from its past."""

    def __call__(self, past: PlaceSeries) -> Iterator[ForecastYear]:
        """Forecast each year after the last date of `past`, in turn; the caller says when it ends.

        Args:
            past: Dates in their own colours, the last is the present.
        """


def forecaster_method(name: str, forecaster: PlaceForecaster) -> CaseMethod:
    """A forecaster as a method among the rules.

    Cases of one start that follow each other with growing horizons go on from each other, so that
    each year is computed once. Horizons are rounded to whole years.
    """
    rolling = _Rolling(forecaster)

    def forecast(case: SeriesCase) -> PlaceForecast:
        before, now = rolling.at(case.past, max(1, round(case.years)))
        expected = _expected(case.past.images[-1], now)
        moved = np.abs(cell_means(now.states).mean(axis=0) - case.present).mean(axis=0)
        return PlaceForecast.of_states(
            now.states,
            now.probability,
            ranking=now.probability + _TIE * moved,
            year_before=None if before is None else before.states,
            observations=now.observations,
            expected=expected,
        )

    return CaseMethod(name, forecast)


def _expected(present: NDArray[np.uint8], now: ForecastYear) -> NDArray[np.float32]:
    """`expected_state` as means over cells."""
    chance = between_cells(now.probability, Window(0, 0, *present.shape[-2:]))
    states = now.states.astype(np.float32)
    return cell_means(expected_state(present.astype(np.float32), states, chance))


class _Rolling:
    """The last two years of a forecast that goes on as far as it is asked to."""

    def __init__(self, forecaster: PlaceForecaster) -> None:
        self._forecaster = forecaster
        self._key: tuple[str, float] | None = None
        self._year = 0

    def at(self, past: PlaceSeries, year: int) -> tuple[ForecastYear | None, ForecastYear]:
        key = past.name, float(past.years[-1])
        if self._key != key or self._year > year:
            self._key, self._year = key, 0
            self._years = self._forecaster(past)
            self._before: ForecastYear | None = None
            self._now: ForecastYear | None = None
        while self._now is None or self._year < year:
            self._before, self._now = self._now, next(self._years)
            self._year += 1
        return self._before, self._now
