"""Structural similarity of single members to the truth."""

from __future__ import annotations

import numpy as np
from kornia.metrics import ssim
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.evaluation.change import CLASSES, class_weights
from forecast.evaluation.statistic import Array, Statistic, images, per_pair, ratio

__all__ = ["StructuralSimilarity"]

_WINDOW_PX = 7  # The 11 px of the paper are a third of a 32 px field.


class StructuralSimilarity(Statistic):
    """`ssim`: SSIM (Wang et al. 2004) of past plus difference, mean over members and pixels.

    Also by change class of the pixel; its window reaches into the ground around.

    Gaussian window of 7 px with a standard deviation of 1.5 px, range 1.
    """

    name = "ssim"

    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Per class: SSIM summed over bands and pixels seen, mean over members; values seen."""
        forecast, truth = images(members, cases)
        m, b = forecast.shape[:2]
        every = truth.expand(m, *truth.shape)
        found = ssim(forecast.flatten(0, 1), every.flatten(0, 1), _WINDOW_PX)
        mean = found.view(m, b, *truth.shape[1:]).mean(dim=0)
        parts = []
        for share in class_weights(cases):
            weight = share.expand_as(truth)
            parts += [per_pair(mean * weight), per_pair(weight)]
        return np.stack(parts, axis=1)

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        return {
            f"ssim{suffix}": ratio(sums[..., 2 * i], sums[..., 2 * i + 1])
            for i, suffix in enumerate(CLASSES)
        }
