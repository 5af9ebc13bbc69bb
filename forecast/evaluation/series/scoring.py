"""Sums of all statistics by place, horizon and method, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from forecast.evaluation.results import ALL, Section, sections
from forecast.evaluation.series.case import SeriesCase
from forecast.evaluation.series.forecasts import PlaceForecast
from forecast.evaluation.series.harm import Harm
from forecast.evaluation.series.lasting_change import LastingChange
from forecast.evaluation.series.methods import CaseMethod
from forecast.evaluation.series.observations import Observations
from forecast.evaluation.series.pictures import Pictures
from forecast.evaluation.series.places import place_of
from forecast.evaluation.series.statistic import SeriesStatistic
from forecast.evaluation.statistic import Array
from forecast.evaluation.sums import EvaluationSums, Group
from forecast.horizons import horizon_class

__all__ = [
    "all_series_statistics",
    "by_split",
    "score_case",
    "score_cases",
    "scores_of",
    "series_sections",
]

_LABELS, _OTHERS = {"train": "places of training"}, "other places"
Sums = dict[str, Array]


def all_series_statistics(*, seed: int = 0) -> list[SeriesStatistic]:
    """Every statistic, in the order of the report: harm, lasting change, observations, pictures."""
    return [Harm(), LastingChange(seed=seed), Observations(seed=seed), Pictures()]


def score_case(
    forecast: PlaceForecast, case: SeriesCase, statistics: Sequence[SeriesStatistic] | None = None
) -> Sums:
    """Sums of one forecast of one case, by statistic; those of several cases add up."""
    return {s.name: s.sums(forecast, case) for s in statistics or all_series_statistics()}


def scores_of(sums: Sums, statistics: Sequence[SeriesStatistic] | None = None) -> dict[str, float]:
    """Scores by name of (added) sums; NaN where nothing was scored."""
    found: dict[str, float] = {}
    for statistic in statistics or all_series_statistics():
        scores = statistic.scores(sums[statistic.name])
        found |= {name: float(value) for name, value in scores.items()}
    return found


def score_cases(
    cases: Iterable[SeriesCase],
    methods: Sequence[CaseMethod],
    statistics: Sequence[SeriesStatistic],
    *,
    watch: Callable[[SeriesCase, Mapping[str, PlaceForecast]], None] | None = None,
) -> EvaluationSums:
    """Forecast and score cases, one after the other; no forecast outlives its case.

    Args:
        cases: Those of one start in the order of their horizons, see `forecaster_method`.
        methods: The one that is compared with the others first.
        statistics: What to measure.
        watch: Called with each case and the forecasts of it.

    Returns:
        Sums with the place as dataset and as unit, by class of horizons.
    """
    sums = EvaluationSums()
    for case in cases:
        forecasts = {method.name: method.forecast(case) for method in methods}
        able = {name: forecast for name, forecast in forecasts.items() if forecast is not None}
        place = place_of(case.place)
        group = Group(place, int(horizon_class(case.years)), place, tuple(able))
        sums.count([group])
        for name, forecast in able.items():
            for statistic, row in score_case(forecast, case, statistics).items():
                sums.add([group], name, statistic, row[None])
        if watch is not None:
            watch(case, able)
    return sums


def by_split(sums: EvaluationSums, split: Mapping[str, str]) -> EvaluationSums:
    """Put the places of each split together; within a class of horizons each counts alike.

    Args:
        sums: From `score_cases`.
        split: Of each place.
    """
    merged = EvaluationSums()
    for group, count in sums.pairs.items():
        wide = group._replace(dataset=_LABELS.get(split[group.dataset], _OTHERS))
        merged.pairs[wide] = merged.pairs.get(wide, 0) + count
    for (group, method, statistic), row in sums.sums.items():
        wide = group._replace(dataset=_LABELS.get(split[group.dataset], _OTHERS))
        merged.add([wide], method, statistic, np.asarray(row / sums.pairs[group])[None])
    return merged


def series_sections(
    sums: EvaluationSums,
    statistics: Sequence[SeriesStatistic],
    *,
    seed: int,
    resamples: int,
) -> list[Section]:
    """Scores with intervals over places; nothing is said of all places together."""
    found = sections(sums, statistics, seed=seed, resamples=resamples)
    several = len({group.dataset for group in sums.pairs}) > 1
    return [section for section in found if not (several and section.dataset == ALL)]
