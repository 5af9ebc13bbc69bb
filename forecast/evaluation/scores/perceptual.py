"""Distance of members and truth in a space of features, learnt or a stand-in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.scores.statistic import Array, Statistic, ratio
from preprocessing.quality.features import FeatureSpace

__all__ = ["FeatureDistance"]


class FeatureDistance(Statistic):
    """Distance of observations and truth in a feature space, mean over members and cases.

    Args:
        space: Where they are compared; it names the score.
    """

    def __init__(self, space: FeatureSpace) -> None:
        self.name = space.name
        self._space = space

    @classmethod
    def of(cls, weights: Path | None) -> FeatureDistance:
        """`vgg16_distance` with weights from a file (see `load_vgg16`), else the stand-in.

        The stand-in is `gabor_distance`, which needs no weights.
        """
        return cls(FeatureSpace.gabor() if weights is None else FeatureSpace.vgg16(weights))

    def sums(self, forecast: PlaceForecast, case: SeriesCase) -> Array:
        """Mean distance of the members, 1 where there are any."""
        if forecast.observed is None or not case.seen.any():
            return np.zeros(2)
        # What was not seen looks as at the start in both.
        ours, theirs = (
            torch.from_numpy(np.where(case.seen, field, case.present)).float().clamp(0, 255) / 255
            for field in (forecast.observed, case.truth)
        )
        return np.array([float(self.between(ours, theirs.expand_as(ours)).mean()), 1.0])

    def scores(self, sums: Array) -> dict[str, Array]:
        """One score, named like the statistic."""
        return {self.name: ratio(sums[..., 0], sums[..., 1])}

    @torch.inference_mode()
    def between(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Distance of each image `(n, 3, h, w)`, 0..1, from its counterpart: `(n,)`."""
        units = self._space.unit(ours), self._space.unit(theirs)
        return self._space.distance(*units, torch.ones_like(ours[:, :1]))
