"""Distance of members and truth in a space of features, learnt or a stand-in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.evaluation.statistic import Array, Statistic, images, per_pair, ratio
from preprocessing.quality.features import FeatureSpace

__all__ = ["FeatureDistance"]

_CHUNK = 256


class FeatureDistance(Statistic):
    """Distance of members and truth in a feature space, on past plus difference.

    Mean over members, places, levels and tiles.

    Args:
        space: Where they are compared; it names the score.
    """

    def __init__(self, space: FeatureSpace) -> None:
        self.name = space.name
        self._space = space

    @classmethod
    def gabor(cls) -> FeatureDistance:
        """`gabor_distance`: the stand-in that needs no weights."""
        return cls(FeatureSpace.gabor())

    @classmethod
    def vgg16(cls, weights: Path) -> FeatureDistance:
        """`vgg16_distance`: five levels of VGG16 with weights from a file, see `load_vgg16`."""
        return cls(FeatureSpace.vgg16(weights))

    @torch.inference_mode()
    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Distance of each tile, mean over members, and 1 where it has a valid pixel."""
        forecast, truth = images(members, cases)
        m, b = forecast.shape[:2]
        wanted = self._space.unit(truth)
        total = torch.zeros(b)
        step = max(1, _CHUNK // b)
        for start in range(0, m, step):
            part = forecast[start : start + step]
            for ours, theirs in zip(self._space.unit(part.flatten(0, 1)), wanted, strict=True):
                ours = ours.view(len(part), *theirs.shape)
                distance = (ours - theirs).square().sum(dim=2).mean(dim=(2, 3))
                total += distance.sum(dim=0) / (m * len(wanted))
        seen = per_pair(cases.weight) > 0
        return np.stack([total.double().numpy() * seen, seen.astype(float)], axis=1)

    def scores(self, sums: Array) -> dict[str, Array]:
        """One score, named like the statistic."""
        return {self.name: ratio(sums[..., 0], sums[..., 1])}

    @torch.inference_mode()
    def between(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Distance of each image `(n, 3, h, w)`, 0..1, from its counterpart: `(n,)`."""
        units = self._space.unit(ours), self._space.unit(theirs)
        return self._space.distance(*units, torch.ones_like(ours[:, :1]))
