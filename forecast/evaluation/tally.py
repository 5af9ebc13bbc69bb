"""Scores of one ensemble method over many batches, in a few lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from forecast.evaluation.change_probability import ChangeProbability
from forecast.evaluation.statistic import Array, Truth
from forecast.evaluation.values import ValueScores

__all__ = ["Tally"]

_STATISTICS = (ValueScores(), ChangeProbability())


@dataclass(frozen=True)
class Tally:
    """Sums of `ValueScores` and `ChangeProbability`; adds up by `+`.

    Attributes:
        sums: By name of the statistic.
    """

    sums: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def of(cls, members: Tensor, truth: Truth) -> Tally:
        """Sums of a batch.

        Args:
            members: `(m, b, c, h, w)` differences future minus past, 0..1 units.
            truth: What came.
        """
        return cls({s.name: s.sums(members, truth).sum(axis=0) for s in _STATISTICS})

    def __add__(self, other: Tally) -> Tally:
        if not (self.sums and other.sums):
            return self if self.sums else other
        return Tally({name: row + other.sums[name] for name, row in self.sums.items()})

    def scores(self) -> dict[str, float]:
        """Scores by name, see the two statistics; none where nothing was added."""
        return {
            name: float(value)
            for statistic in _STATISTICS
            if self.sums
            for name, value in statistic.scores(self.sums[statistic.name]).items()
        }
