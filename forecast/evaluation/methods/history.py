"""The same forecaster with less history: what every further date is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.forecaster import ForecastYear, PlaceForecaster, forecaster_method
from forecast.evaluation.methods.method import CaseMethod
from forecast.evaluation.scores.sums import EvaluationSums
from preprocessing.series import PlaceSeries

__all__ = ["with_dates", "within", "without"]


def with_dates(name: str, forecaster: PlaceForecaster, dates: int) -> CaseMethod:
    """A forecaster that sees the nearest dates up to the start, and none before.

    Args:
        name: As the report shows it.
        forecaster: Of whole places.
        dates: How many, the start among them; it forecasts no case that has fewer.
    """

    def cut(past: PlaceSeries) -> Iterator[ForecastYear]:
        return forecaster(past.at(slice(-dates, None)))

    method = forecaster_method(name, cut)

    def forecast(case: SeriesCase) -> PlaceForecast | None:
        return method.forecast(case) if len(case.past) >= dates else None

    return CaseMethod(name, forecast)


def without(sums: EvaluationSums, methods: Sequence[str]) -> EvaluationSums:
    """Sums of all but some methods."""
    kept = {key: row for key, row in sums.sums.items() if key[1] not in methods}
    return EvaluationSums(dict(sums.pairs), kept)


def within(sums: EvaluationSums, methods: Sequence[str]) -> EvaluationSums:
    """Sums of some methods, on the cases that every one of them forecast."""
    groups = {group for group in sums.pairs if set(methods) <= set(group.methods)}
    return EvaluationSums(
        {group: count for group, count in sums.pairs.items() if group in groups},
        {key: row for key, row in sums.sums.items() if key[0] in groups and key[1] in methods},
    )
