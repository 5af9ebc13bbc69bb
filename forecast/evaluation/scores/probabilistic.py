"""Observations: is what a sensor saw later a likely draw from the ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from forecast.crps import fair_crps
from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.scores.dressed import dressed_crps
from forecast.evaluation.scores.statistic import Array, Statistic, ratio

__all__ = ["RANK_CLASSES", "Observations"]

RANK_CLASSES = 10
_STREAM = 6


class Observations(Statistic):
    """Scores of observations against the image seen later, in the colours of the start.

    Of a forecast that tells states from observations of them, the observations; else the members.

    `crps`: fair CRPS of single values (Ferro 2014), the absolute error for one member, 0..1.
    `crps_skill`: 1 less the CRPS over that of dressed persistence. `spread_skill`: root of the
    mean variance times (m + 1) / m, over the RMSE of the mean (Fortin et al. 2014); 1 where
    calibrated, NaN for one member. `rank_deviation`: sum over ten classes of rank of the
    absolute difference of their share from a tenth (Delle Monache et al. 2006); ranks of ensembles
    of any size by (rank + u) / (m + 1), u uniform, which is uniform where they are calibrated.

    Args:
        seed: Of u.
    """

    name = "observations"

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def sums(self, forecast: PlaceForecast, case: SeriesCase) -> Array:
        """CRPS, that of dressed persistence, cases; variance, square error, cases; ranks."""
        row = np.zeros(6 + RANK_CLASSES)
        if forecast.observed is None or not case.seen.any():
            return row
        members = forecast.observed[:, :, case.seen].astype(np.float64)
        truth = case.truth[:, case.seen].astype(np.float64)
        m = len(members)
        if m == 1:
            crps = np.abs(members[0] - truth).mean()
        else:
            crps = float(fair_crps(torch.from_numpy(members), torch.from_numpy(truth)).mean())
        row[:3] = crps, dressed_crps(truth - case.present[:, case.seen]), 1
        if m > 1 and members.var() > 0:
            variance = members.var(axis=0, ddof=1).mean() * (m + 1) / m
            row[3:6] = variance, ((members.mean(axis=0) - truth) ** 2).mean(), 1
            row[6:] = self._ranks(members, truth, case)
        return row

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        crps, dressed = (ratio(sums[..., i], sums[..., 2]) for i in range(2))
        share = ratio(sums[..., 6:], sums[..., 5:6])
        return {
            "crps": crps / 255,
            "crps_skill": 1 - ratio(crps, dressed),
            "spread_skill": np.sqrt(ratio(sums[..., 3], sums[..., 4])),
            "rank_deviation": np.abs(share - 1 / RANK_CLASSES).sum(axis=-1),
        }

    def curves(self, sums: Array) -> dict[str, Any]:
        """`rank_share`: share of values by class of rank."""
        return {"rank_share": ratio(sums[6:], sums[5:6]).tolist()} if sums[5] > 0 else {}

    def _ranks(self, members: Array, truth: Array, case: SeriesCase) -> Array:
        draw = case.generator(self._seed, _STREAM).random((2, *truth.shape))
        ties = (members == truth).sum(axis=0)
        rank = (members < truth).sum(axis=0) + np.floor(draw[0] * (ties + 1))
        place = (rank + draw[1]) / (len(members) + 1)
        number = np.minimum((place * RANK_CLASSES).astype(int), RANK_CLASSES - 1)
        return np.asarray(np.bincount(number.ravel(), minlength=RANK_CLASSES) / number.size)
