"""Observations: is what a sensor saw later a likely draw from the ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from forecast.evaluation.case import SeriesCase
from forecast.evaluation.forecasts import PlaceForecast
from forecast.evaluation.statistic import Array, Statistic, ratio
from forecast.training.losses import fair_crps

__all__ = ["RANK_CLASSES", "Observations", "dressed_crps"]

RANK_CLASSES = 10
_STREAM = 6
_SCALES = np.geomspace(0.3, 60.0, 60)
"""Grey levels of the noise that persistence is dressed with."""


def dressed_crps(difference: Array) -> float:
    """CRPS of persistence plus the Laplace noise that suits these very differences best.

    The CRPS of a Laplace distribution of scale b is b (|z| + exp(-|z|) - 3/4), with z the error
    over b. The scale is chosen on the truth, of sixty from 0.3 to 60 grey levels: a bar a little
    too high, which needs no other place.
    """
    size = np.abs(difference).ravel().astype(np.float64)
    # The score is smooth in the differences: a fine histogram of them gives it to six digits.
    counts, edges = np.histogram(size, bins=2048, range=(0.0, max(float(size.max()), 1e-6)))
    middle = (edges[:-1] + edges[1:]) / 2
    z = middle / _SCALES[:, None]
    by_scale = _SCALES * ((z + np.exp(-z) - 0.75) @ counts) / size.size
    return float(by_scale.min())


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
