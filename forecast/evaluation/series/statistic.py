"""What a score of whole places offers: sums of a case that add up, and scores of added sums."""

from __future__ import annotations

from abc import abstractmethod

from forecast.evaluation.series.case import SeriesCase
from forecast.evaluation.series.forecasts import PlaceForecast
from forecast.evaluation.statistic import Array, SumScores

__all__ = ["SeriesStatistic"]


class SeriesStatistic(SumScores):
    """Scores that come from sums over cases; each case counts alike, whatever its size."""

    @abstractmethod
    def sums(self, forecast: PlaceForecast, case: SeriesCase) -> Array:
        """Sums of one case `(k,)`, zeros where the forecast does not say what is scored."""
