"""Null resolution: how far a forecast must be averaged until it beats "nothing changes"."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from forecast.evaluation.cases import Cases
from forecast.evaluation.statistic import Array, Statistic, per_pair, ratio
from forecast.patches import FACTOR

__all__ = ["NullResolution"]

_FACTORS = (1, 2, 4, 8, 16, 32)


class NullResolution(Statistic):
    """Error of the ensemble mean over that of persistence, for means over larger and larger blocks.

    `null_resolution_px`: side in image pixels of the smallest blocks at which the RMSE of the
    ensemble mean is below that of persistence (the idea of Pontius et al. 2008: the resolution at
    which a model is as accurate as a null model); infinite where it never is. Blocks are of 1, 2,
    4 .. 32 pixels of the forecast, four image pixels each; a block counts by its valid share.
    """

    name = "aggregation"

    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Square errors of the ensemble mean and of persistence, and weights, by block size."""
        error = (members.mean(dim=0) - cases.difference) * cases.weight
        still = cases.difference * cases.weight
        columns = []
        for factor in _FACTORS:
            if factor > cases.weight.shape[-1]:
                break
            share = F.avg_pool2d(cases.weight, factor)
            for field in (error, still):
                mean = F.avg_pool2d(field, factor) / share.clamp_min(1e-6)
                columns.append(per_pair(mean.square() * share))
            columns.append(per_pair(share.expand_as(mean)))
        return np.stack(columns, axis=1)

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        found = _rmse_ratio(sums)
        better = found < 1 - 1e-9  # Persistence itself must not win by a rounding error.
        first = np.argmax(better, axis=-1)
        side = FACTOR * np.asarray(_FACTORS, float)[first]
        unknown = np.where(np.isnan(found).all(axis=-1), np.nan, np.inf)
        return {"null_resolution_px": np.where(better.any(axis=-1), side, unknown)}

    def curves(self, sums: Array) -> dict[str, Any]:
        """`block_px`, sides of the blocks in image pixels, and `rmse_ratio`."""
        found = _rmse_ratio(sums).tolist()
        return {"block_px": [FACTOR * f for f in _FACTORS[: len(found)]], "rmse_ratio": found}


def _rmse_ratio(sums: Array) -> Array:
    by_size = sums.reshape(*sums.shape[:-1], -1, 3)
    return np.sqrt(ratio(by_size[..., 0], by_size[..., 1]))
