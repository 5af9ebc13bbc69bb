"""Mergeable statistics of ensemble forecasts: sums and weights now, ratios once at the end."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from forecast.evaluation.change import CHANGE_THRESHOLD, changed
from forecast.training.losses import fair_crps

__all__ = ["CHANGE_THRESHOLD", "Score", "ScoreSums", "changed"]


@dataclass(frozen=True)
class Score:
    """Scores of one ensemble, in units of 0..1 where they have units.

    Attributes:
        crps: Fair CRPS, over all valid values.
        crps_changed: The same where the truth changed.
        crps_unchanged: The same where it did not.
        rmse: Root mean square error of the ensemble mean.
        bias: Mean of ensemble mean minus truth.
        spread_skill: Root of the mean variance, scaled by (m + 1) / m, over the RMSE (Fortin et
            al. 2014); 1 where the ensemble is calibrated, NaN where it has no spread.
        brier: Brier score of the change probability.
        pixels: Valid pixels scored.
    """

    crps: float
    crps_changed: float
    crps_unchanged: float
    rmse: float
    bias: float
    spread_skill: float
    brier: float
    pixels: int


@dataclass
class ScoreSums:
    """Sums that merge by `+`: order, batch size and machine do not matter."""

    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, members: Tensor, truth: Tensor, weight: Tensor) -> None:
        """Add a batch.

        Args:
            members: `(m, b, c, h, w)` differences future minus past, 0..1 units.
            truth: `(b, c, h, w)` true differences.
            weight: `(b, 1, h, w)`, 1 where observed.
        """
        m = members.shape[0]
        crps = fair_crps(members, truth) if m > 1 else (members[0] - truth).abs()
        mean = members.mean(dim=0)
        variance = members.var(dim=0) if m > 1 else torch.zeros_like(mean)
        moved = changed(truth)[:, None].float()
        probability = changed(members).float().mean(dim=0)[:, None]
        for name, value, share in (
            ("crps", crps, weight),
            ("crps_changed", crps, weight * moved),
            ("crps_unchanged", crps, weight * (1 - moved)),
            ("square_error", (mean - truth) ** 2, weight),
            ("bias", mean - truth, weight),
            ("variance", variance * (m + 1) / m, weight),
            ("brier", (probability - moved) ** 2, weight),
        ):
            self.sums[name] += float((value * share).sum(dtype=torch.float64))
            self.sums[f"{name}.weight"] += float(share.sum(dtype=torch.float64)) * value.shape[1]
        self.sums["pixels"] += float(weight.sum(dtype=torch.float64))

    def __add__(self, other: ScoreSums) -> ScoreSums:
        merged = ScoreSums()
        for part in (self, other):
            for name, value in part.sums.items():
                merged.sums[name] += value
        return merged

    @classmethod
    def total(cls, parts: Iterable[ScoreSums]) -> ScoreSums:
        """Sum of many."""
        return sum(parts, start=cls())

    def score(self) -> Score:
        """Turn the sums into scores; NaN where nothing was added."""
        mse, variance = self._mean("square_error"), self._mean("variance")
        ratio = math.sqrt(variance / mse) if mse > 0 and variance > 0 else math.nan
        return Score(
            crps=self._mean("crps"),
            crps_changed=self._mean("crps_changed"),
            crps_unchanged=self._mean("crps_unchanged"),
            rmse=math.sqrt(mse) if mse >= 0 else math.nan,
            bias=self._mean("bias"),
            spread_skill=ratio,
            brier=self._mean("brier"),
            pixels=int(self.sums["pixels"]),
        )

    def _mean(self, name: str) -> float:
        weight = self.sums[f"{name}.weight"]
        return self.sums[name] / weight if weight > 0 else math.nan
