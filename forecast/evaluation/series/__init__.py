"""Forecasts of whole places scored against their series: harm, lasting change, looks, pictures.

`plan_cases` chooses starts and targets, `build_case` brings all dates to the colours of the
start, `score_case` turns a forecast of a case (an ensemble, a map of probabilities, or both) into
sums that merge. Rules to beat are methods like any forecaster.
"""

from forecast.evaluation.series.case import SeriesCase, build_case, build_cases
from forecast.evaluation.series.forecasts import PlaceForecast
from forecast.evaluation.series.plan import CasePlan, plan_cases
from forecast.evaluation.series.scoring import (
    all_series_statistics,
    by_split,
    score_case,
    scores_of,
)

__all__ = [
    "CasePlan",
    "PlaceForecast",
    "SeriesCase",
    "all_series_statistics",
    "build_case",
    "build_cases",
    "by_split",
    "plan_cases",
    "score_case",
    "scores_of",
]
