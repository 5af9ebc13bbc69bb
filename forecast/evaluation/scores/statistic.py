"""What every score is made of: sums of single cases, which add up, and ratios taken at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast

__all__ = ["Array", "Statistic", "ratio"]

Array = NDArray[np.float64]


class Statistic(ABC):
    """Scores that come from sums over cases; each case counts alike, whatever its size.

    The sums of a set are the sum of those of its parts: order and machine do not matter, and a
    bootstrap resample is one matrix product.

    Attributes:
        name: Key of its sums.
    """

    name: str

    @abstractmethod
    def sums(self, forecast: PlaceForecast, case: SeriesCase) -> Array:
        """Sums of one case `(k,)`, zeros where the forecast does not say what is scored."""

    @abstractmethod
    def scores(self, sums: Array) -> dict[str, Array]:
        """Scores of added sums `(..., k)`: arrays `(...)` by name, NaN where nothing was added."""

    def curves(self, sums: Array) -> dict[str, Any]:
        """What figures show of added sums `(k,)`: lists by name."""
        return {}


def ratio(total: Array, weight: Array) -> Array:
    """`total / weight`, NaN where the weight is 0."""
    total, weight = np.broadcast_arrays(np.asarray(total, float), np.asarray(weight, float))
    unknown = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, weight, out=unknown, where=weight > 0))
