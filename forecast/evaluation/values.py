"""Errors, CRPS and spread of single values, on all, changed and unchanged ground."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.change import changed
from forecast.evaluation.statistic import Array, Statistic, Truth, per_pair, ratio
from forecast.training.losses import fair_crps

__all__ = ["ValueScores"]

_CLASSES = ("", "_changed", "_unchanged")


class ValueScores(Statistic):
    """Scores of every band and pixel by itself, by change class of the truth.

    `crps`: fair CRPS (Ferro 2014), the absolute error for one member. `rmse`, `bias`: of the
    ensemble mean. `mae`: of the ensemble median, which it rewards (Gneiting 2011).
    `spread_skill`: root of the mean variance times (m + 1) / m, over the RMSE (Fortin et al.
    2014); 1 where the ensemble is calibrated, NaN where it has no spread, as one member has none.
    `pixels`: pixels scored.
    """

    name = "values"

    def sums(self, members: Tensor, cases: Truth) -> Array:
        """Per class: CRPS, absolute, square and signed error, variance, weight."""
        m = len(members)
        truth, mean = cases.difference, members.mean(dim=0)
        several = m > 1
        terms = (
            fair_crps(members, truth) if several else (members[0] - truth).abs(),
            # The middle of an even ensemble: torch.median would take the lower of the two.
            (members.quantile(0.5, dim=0) - truth).abs(),
            (mean - truth) ** 2,
            mean - truth,
            members.var(dim=0) * (m + 1) / m if several else torch.zeros_like(mean),
            torch.ones_like(mean),
        )
        moved = changed(truth)[:, None].float()
        shares = (cases.weight, cases.weight * moved, cases.weight * (1 - moved))
        return np.stack([per_pair(term * share) for share in shares for term in terms], axis=1)

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        found: dict[str, Array] = {}
        by_class = sums.reshape(*sums.shape[:-1], len(_CLASSES), -1)
        for number, suffix in enumerate(_CLASSES):
            part = by_class[..., number, :]
            crps, absolute, square, signed, variance = (
                ratio(part[..., i], part[..., -1]) for i in range(5)
            )
            found[f"crps{suffix}"] = crps
            found[f"mae{suffix}"] = absolute
            found[f"rmse{suffix}"] = np.sqrt(square)
            found[f"bias{suffix}"] = signed
            spread = np.where(variance > 0, variance, np.nan)
            found[f"spread_skill{suffix}"] = np.sqrt(ratio(spread, square))
        found["pixels"] = by_class[..., 0, -1] / 3
        return found
