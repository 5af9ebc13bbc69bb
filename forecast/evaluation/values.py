"""Errors, CRPS and spread of single values, on all, changed and unchanged ground."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.change import CLASSES, class_weights
from forecast.evaluation.statistic import Array, Statistic, Truth, per_pair, ratio
from forecast.training.losses import fair_crps

__all__ = ["ValueScores"]


class ValueScores(Statistic):
    """Scores of every band and pixel by itself, by change class of the truth.

    `crps`: fair CRPS (Ferro 2014), the absolute error for one member. `rmse`, `bias`: of the
    ensemble mean. `rmse_fair`: what `rmse` would be with ever more such members: the square error
    of the mean less the variance over m that few members cost it (after Ferro 2014). `mae`: of the
    ensemble median, which it rewards (Gneiting 2011).
    `spread_skill`: root of the mean variance times (m + 1) / m, over the RMSE (Fortin et al.
    2014); 1 where the ensemble is calibrated, NaN where it has no spread, as one member has none.
    `pixels`: pixels scored.
    """

    name = "values"

    def sums(self, members: Tensor, cases: Truth) -> Array:
        """Per class: CRPS, absolute, square, signed and fair square error, variance, weight."""
        m = len(members)
        truth, mean = cases.difference, members.mean(dim=0)
        several = m > 1
        variance = members.var(dim=0) if several else torch.zeros_like(mean)
        terms = (
            fair_crps(members, truth) if several else (members[0] - truth).abs(),
            # The middle of an even ensemble: torch.median would take the lower of the two.
            (members.quantile(0.5, dim=0) - truth).abs(),
            (mean - truth) ** 2,
            mean - truth,
            (mean - truth) ** 2 - variance / m,
            variance * (m + 1) / m,
            torch.ones_like(mean),
        )
        return np.stack(
            [per_pair(term * share) for share in class_weights(cases) for term in terms], axis=1
        )

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        found: dict[str, Array] = {}
        by_class = sums.reshape(*sums.shape[:-1], len(CLASSES), -1)
        for number, suffix in enumerate(CLASSES):
            part = by_class[..., number, :]
            crps, absolute, square, signed, fair, variance = (
                ratio(part[..., i], part[..., -1]) for i in range(6)
            )
            found[f"crps{suffix}"] = crps
            found[f"mae{suffix}"] = absolute
            found[f"rmse{suffix}"] = np.sqrt(square)
            # Of few pairs the estimate may fall below zero.
            found[f"rmse_fair{suffix}"] = np.sqrt(np.maximum(fair, 0.0))
            found[f"bias{suffix}"] = signed
            spread = np.where(variance > 0, variance, np.nan)
            found[f"spread_skill{suffix}"] = np.sqrt(ratio(spread, square))
        found["pixels"] = by_class[..., 0, -1] / 3
        return found
