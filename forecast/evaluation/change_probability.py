"""Probability of change: Brier score, its parts, and the reliability curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from forecast.evaluation.change import changed
from forecast.evaluation.statistic import Array, Statistic, Truth, ratio

__all__ = ["ChangeProbability"]


class ChangeProbability(Statistic):
    """How well the share of members that change a pixel foretells its change.

    With p of the m + 1 shares 0, 1/m .. 1 the parts of Murphy 1973 are exact:
    `brier` = `brier_reliability` - `brier_resolution` + s (1 - s), where s is `change_share`, the
    share of pixels that changed. `brier_fair` takes off what few members cost (Ferro 2014).
    """

    name = "change_probability"

    def sums(self, members: Tensor, cases: Truth) -> Array:
        """Pixels by number of members that change them, then those of them that changed."""
        m = len(members)
        votes = changed(members).sum(dim=0)
        moved = changed(cases.difference)
        rows = []
        for vote, truth, seen in zip(votes, moved, cases.weight[:, 0] > 0, strict=True):
            counts = np.bincount(vote[seen].numpy(), minlength=m + 1)
            hits = np.bincount(vote[seen & truth].numpy(), minlength=m + 1)
            rows.append(np.concatenate([counts, hits]).astype(float))
        return np.stack(rows)

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        counts, hits = np.split(sums, 2, axis=-1)
        m = counts.shape[-1] - 1
        p = np.arange(m + 1) / m
        total = counts.sum(axis=-1)
        share = ratio(hits.sum(axis=-1), total)
        frequency = np.nan_to_num(ratio(hits, counts))
        brier = ratio((counts * p**2 - 2 * p * hits + hits).sum(axis=-1), total)
        few = ratio((counts * p * (1 - p)).sum(axis=-1), total) / (m - 1) if m > 1 else 0.0
        reliability = ratio((counts * (p - frequency) ** 2).sum(axis=-1), total)
        spread = (frequency - share[..., None]) ** 2
        return {
            "brier": brier,
            "brier_fair": brier - few,
            "brier_reliability": reliability,
            "brier_resolution": ratio((counts * spread).sum(axis=-1), total),
            "change_share": share,
            "change_share_forecast": ratio((counts * p).sum(axis=-1), total),
        }

    def curves(self, sums: Array) -> dict[str, Any]:
        """`probability`, `frequency` of change at it, `frequency_pixels`."""
        counts, hits = np.split(sums, 2)
        m = len(counts) - 1
        return {
            "probability": (np.arange(m + 1) / m).tolist(),
            "frequency": ratio(hits, counts).tolist(),
            "frequency_pixels": counts.tolist(),
        }
