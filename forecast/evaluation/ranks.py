"""Rank histogram: where the truth falls among the members."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.evaluation.statistic import Array, Statistic, ratio

__all__ = ["RankHistogram"]

_STREAM = 1


class RankHistogram(Statistic):
    """Counts of the truth's rank among the members, ties broken at random (Hamill 2001).

    `rank_deviation`: sum over the ranks of the absolute difference of their share from
    1 / (m + 1), the reliability index of Delle Monache et al. 2006; 0 is flat.
    `outlier_excess`: share of truths outside the ensemble, less the 2 / (m + 1) of a calibrated
    one. Both are NaN for one member.

    Args:
        seed: Of the tie-breaking.
    """

    name = "ranks"

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Values of each pair by rank 0 to m."""
        m = len(members)
        truth = cases.difference
        below = (members < truth).sum(dim=0)
        ties = (members == truth).sum(dim=0)
        draw = torch.stack(
            [
                torch.from_numpy(generator.random(truth.shape[1:], dtype=np.float32))
                for generator in cases.generators(self._seed, _STREAM)
            ]
        )
        # Float32 draws are below 1, but times a whole number may round up to it.
        rank = below + torch.minimum((draw * (ties + 1)).long(), ties)
        seen = cases.weight.expand_as(truth) > 0
        return np.stack(
            [
                np.bincount(r[s].numpy(), minlength=m + 1).astype(float)
                for r, s in zip(rank, seen, strict=True)
            ]
        )

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        ranks = sums.shape[-1]
        share = ratio(sums, sums.sum(axis=-1, keepdims=True))
        if ranks == 2:
            unknown = np.full(sums.shape[:-1], np.nan)
            return {"rank_deviation": unknown, "outlier_excess": unknown}
        return {
            "rank_deviation": np.abs(share - 1 / ranks).sum(axis=-1),
            "outlier_excess": share[..., 0] + share[..., -1] - 2 / ranks,
        }

    def curves(self, sums: Array) -> dict[str, Any]:
        """`rank_share`: share of values by rank."""
        if len(sums) == 2:
            return {}
        return {"rank_share": ratio(sums, sums.sum(keepdims=True)).tolist()}
