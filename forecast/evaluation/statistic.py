"""What every score is made of: sums of single pairs, which add up, and ratios taken at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from forecast.evaluation.cases import Cases

__all__ = ["Array", "Observed", "Statistic", "SumScores", "Truth", "images", "per_pair", "ratio"]

Array = NDArray[np.float64]


class Truth(Protocol):
    """What came."""

    @property
    def difference(self) -> Tensor:
        """`(b, c, h, w)` in units of 0..1."""

    @property
    def weight(self) -> Tensor:
        """`(b, 1, h, w)`, 1 where observed, else 0."""


@dataclass(frozen=True)
class Observed:
    """A `Truth` by itself."""

    difference: Tensor
    weight: Tensor


class SumScores(ABC):
    """Scores that come from sums over what is scored.

    The sums of a set are the sum of those of its parts: order, batch size and machine do not
    matter, and a bootstrap resample is one matrix product.

    Attributes:
        name: Key of its sums.
    """

    name: str

    @abstractmethod
    def scores(self, sums: Array) -> dict[str, Array]:
        """Scores of added sums `(..., k)`: arrays `(...)` by name, NaN where nothing was added."""

    def curves(self, sums: Array) -> dict[str, Any]:
        """What figures show of added sums `(k,)`: lists by name."""
        return {}


class Statistic(SumScores):
    """Scores of ensembles of tiles, from sums over pairs."""

    @abstractmethod
    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Sums of each pair.

        Args:
            members: `(m, b, 3, h, w)` forecast differences in units of 0..1.
            cases: The `b` pairs.

        Returns:
            `(b, k)`; k may depend on m.
        """


def ratio(total: Array, weight: Array) -> Array:
    """`total / weight`, NaN where the weight is 0."""
    total, weight = np.broadcast_arrays(np.asarray(total, float), np.asarray(weight, float))
    unknown = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, weight, out=unknown, where=weight > 0))


def per_pair(values: Tensor) -> Array:
    """Sum `(b, ...)` over all axes but the first, in float64."""
    return np.asarray(values.double().flatten(1).sum(dim=1).cpu().numpy())


def images(members: Tensor, cases: Cases) -> tuple[Tensor, Tensor]:
    """The fields that are looked at: past plus difference, 0..1, and the past where not observed.

    Returns:
        Members `(m, b, 3, h, w)` and truth `(b, 3, h, w)`.
    """
    forecast = (cases.low + members * cases.weight).clamp(0, 1)
    return forecast, (cases.low + cases.difference * cases.weight).clamp(0, 1)
