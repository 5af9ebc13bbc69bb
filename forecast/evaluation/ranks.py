"""Rank histogram: where the truth falls among the members."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.evaluation.change import CLASSES, class_weights
from forecast.evaluation.statistic import Array, Statistic, ratio

__all__ = ["RankHistogram"]

_STREAM = 1


class RankHistogram(Statistic):
    """Counts of the truth's rank among the members, ties broken at random (Hamill 2001).

    `rank_deviation`: sum over the ranks of the absolute difference of their share from
    1 / (m + 1), the reliability index of Delle Monache et al. 2006; 0 is flat.
    `outlier_excess`: share of truths outside the ensemble, less the 2 / (m + 1) of a calibrated
    one. Both are NaN for one member. Also by change class of the pixel: as a member is judged by
    what the truth did, a calibrated ensemble is not flat on either class by itself.

    Args:
        seed: Of the tie-breaking.
    """

    name = "ranks"

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Per class: values of each pair by rank 0 to m."""
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
        counts = []
        for share in class_weights(cases):
            seen = share.expand_as(truth) > 0
            counts.append(
                [
                    np.bincount(r[s].numpy(), minlength=m + 1).astype(float)
                    for r, s in zip(rank, seen, strict=True)
                ]
            )
        return np.concatenate(counts, axis=1)

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        ranks = sums.shape[-1] // len(CLASSES)
        found: dict[str, Array] = {}
        for suffix, part in zip(CLASSES, np.split(sums, len(CLASSES), axis=-1), strict=True):
            share = ratio(part, part.sum(axis=-1, keepdims=True))
            if ranks == 2:
                share = np.full_like(share, np.nan)
            found[f"rank_deviation{suffix}"] = np.abs(share - 1 / ranks).sum(axis=-1)
            found[f"outlier_excess{suffix}"] = share[..., 0] + share[..., -1] - 2 / ranks
        return found

    def curves(self, sums: Array) -> dict[str, Any]:
        """`rank_share`: share of values by rank."""
        whole = np.split(sums, len(CLASSES))[0]
        if len(whole) == 2:
            return {}
        return {"rank_share": ratio(whole, whole.sum(keepdims=True)).tolist()}
