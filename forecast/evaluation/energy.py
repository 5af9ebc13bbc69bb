"""Energy score: a tile's forecast as one vector, so that joint errors count."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.evaluation.statistic import Array, Statistic, per_pair, ratio

__all__ = ["EnergyScore"]


class EnergyScore(Statistic):
    """Fair energy score of tiles as vectors of all bands and pixels.

    Mean distance of the members to the truth, less half the mean distance of two different
    members (Gneiting and Raftery 2007, eq. 22, with the fair weights of Ferro 2014). Distances
    are Euclidean, over the root of the number of values seen: units of one value. One member: its
    distance.
    """

    name = "energy"

    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Score of each tile, and 1 where it has a valid pixel."""
        m = len(members)
        values = per_pair(cases.weight) * members.shape[2]
        seen = values > 0
        # Distances by differences: the quicker form of cdist by products loses digits.
        vectors = (members * cases.weight).flatten(2).transpose(0, 1).double()
        truth = (cases.difference * cases.weight).flatten(1).double()
        distance = (vectors - truth[:, None]).norm(dim=2).mean(dim=1)
        if m > 1:
            between = torch.cdist(
                vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist"
            ).sum(dim=(1, 2))
            distance = distance - between / (2 * m * (m - 1))
        score = distance.cpu().numpy() / np.sqrt(np.maximum(values, 1))
        return np.stack([score * seen, seen.astype(float)], axis=1)

    def scores(self, sums: Array) -> dict[str, Array]:
        """`energy`, mean over tiles, units of 0..1."""
        return {"energy": ratio(sums[..., 0], sums[..., 1])}
