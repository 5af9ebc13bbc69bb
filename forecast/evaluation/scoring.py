"""Sums of all statistics by dataset or place, horizon and method, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.cases.places import place_of
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.method import CaseMethod
from forecast.evaluation.scores.harm import Harm
from forecast.evaluation.scores.lasting_change import LastingChange
from forecast.evaluation.scores.perceptual import FeatureDistance
from forecast.evaluation.scores.pictures import Pictures
from forecast.evaluation.scores.probabilistic import Observations
from forecast.evaluation.scores.results import ALL, Section, sections
from forecast.evaluation.scores.statistic import Array, Statistic
from forecast.evaluation.scores.sums import EvaluationSums, Group
from forecast.horizons import horizon_class

__all__ = [
    "by_split",
    "pair_statistics",
    "place_sections",
    "place_statistics",
    "score_case",
    "score_cases",
    "scores_of",
]

_LABELS, _OTHERS = {"train": "places of training"}, "other places"
Sums = dict[str, Array]


def place_statistics(*, seed: int = 0) -> list[Statistic]:
    """Every statistic, in the order of the report: harm, lasting change, observations, pictures."""
    return [Harm(), LastingChange(seed=seed), Observations(seed=seed), Pictures()]


def pair_statistics(*, seed: int = 0, perceptual_weights: Path | None = None) -> list[Statistic]:
    """Every statistic of pairs.

    Args:
        seed: Of ties.
        perceptual_weights: Weights of VGG16, see `load_vgg16`; the stand-in where None.
    """
    return [Harm(), Observations(seed=seed), FeatureDistance.of(perceptual_weights)]


def score_case(
    forecast: PlaceForecast, case: SeriesCase, statistics: Sequence[Statistic] | None = None
) -> Sums:
    """Sums of one forecast of one case, by statistic; those of several cases add up."""
    return {s.name: s.sums(forecast, case) for s in statistics or place_statistics()}


def scores_of(sums: Sums, statistics: Sequence[Statistic] | None = None) -> dict[str, float]:
    """Scores by name of (added) sums; NaN where nothing was scored."""
    found: dict[str, float] = {}
    for statistic in statistics or place_statistics():
        scores = statistic.scores(sums[statistic.name])
        found |= {name: float(value) for name, value in scores.items()}
    return found


def score_cases(
    cases: Iterable[SeriesCase],
    methods: Sequence[CaseMethod],
    statistics: Sequence[Statistic],
    *,
    unit: Callable[[SeriesCase], tuple[str, str]] | None = None,
    watch: Callable[[SeriesCase, Mapping[str, PlaceForecast]], None] | None = None,
) -> EvaluationSums:
    """Forecast and score cases, one after the other; no forecast outlives its case.

    Args:
        cases: Those of one start in the order of their horizons, see `forecaster_method`.
        methods: The one that is compared with the others first.
        statistics: What to measure.
        unit: What a case counts for: dataset, and what the bootstrap draws as a whole. Default:
            its place, as both.
        watch: Called with each case and the forecasts of it.

    Returns:
        Sums by dataset, class of horizons and unit.

    Raises:
        ValueError: Two methods share a name.
    """
    if len({method.name for method in methods}) < len(methods):
        raise ValueError(f"expected methods of different names, got {[m.name for m in methods]}")
    sums = EvaluationSums()
    for case in cases:
        forecasts = {method.name: method.forecast(case) for method in methods}
        able = {name: forecast for name, forecast in forecasts.items() if forecast is not None}
        dataset, whole = unit(case) if unit is not None else (place_of(case.place),) * 2
        group = Group(dataset, int(horizon_class(case.years)), whole, tuple(able))
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


def place_sections(
    sums: EvaluationSums,
    statistics: Sequence[Statistic],
    *,
    seed: int,
    resamples: int,
) -> list[Section]:
    """Scores with intervals over places; nothing is said of all places together."""
    found = sections(sums, statistics, seed=seed, resamples=resamples)
    several = len({group.dataset for group in sums.pairs}) > 1
    return [section for section in found if not (several and section.dataset == ALL)]
