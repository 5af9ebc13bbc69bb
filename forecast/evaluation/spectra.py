"""Power spectra: does a forecast have the texture of the ground, at every scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.evaluation.statistic import Array, Statistic, images, ratio
from preprocessing.quality.spectra import ROUNDING_POWER, radial_log_power

__all__ = ["SpectralDistance"]

_FLOOR = ROUNDING_POWER / 16  # Means over 4x4 pixels are compared.


class SpectralDistance(Statistic):
    """Log-spectral distance of members from the truth, on past plus difference.

    `spectral_distance_db`: root mean square over the rings of the difference of the log power of
    one member and the truth, mean over members and tiles. `spectral_bias_db`: member minus truth
    in the upper half of the frequencies; below 0 the forecast is too smooth.
    """

    name = "spectra"

    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Log power of the members and of the truth, distance, tiles."""
        forecast, truth = images(members, cases)
        ours, theirs = (radial_log_power(x, floor=_FLOOR) for x in (forecast, truth))
        distance = (ours - theirs).square().mean(dim=-1).sqrt().mean(dim=0)
        seen = (cases.weight.flatten(1).sum(dim=1) > 0).double()
        row = torch.cat(
            [ours.mean(dim=0), theirs, distance[:, None], torch.ones_like(distance)[:, None]], dim=1
        )
        return np.asarray((row * seen[:, None]).numpy())

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        rings = (sums.shape[-1] - 2) // 2
        excess = sums[..., :rings] - sums[..., rings : 2 * rings]
        return {
            "spectral_distance_db": ratio(sums[..., -2], sums[..., -1]),
            "spectral_bias_db": ratio(excess[..., rings // 2 :].mean(axis=-1), sums[..., -1]),
        }

    def curves(self, sums: Array) -> dict[str, Any]:
        """`power_db` and `power_truth_db` by cycles a tile, 1 to half its pixels."""
        rings = (len(sums) - 2) // 2
        mean = ratio(sums[: 2 * rings], sums[-1:])
        return {"power_db": mean[:rings].tolist(), "power_truth_db": mean[rings:].tolist()}
