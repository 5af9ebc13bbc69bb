"""Pairs made of differences alone, random fields, and the scores of one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.evaluation.statistic import Statistic
from forecast.history import History


def cases(difference: Tensor, weight: Tensor | None = None, *, low: Tensor | None = None) -> Cases:
    b, _, h, w = difference.shape
    low = torch.full_like(difference, 0.5) if low is None else low
    return Cases(
        past=torch.zeros(b, 3, 4, 4),
        low=low,
        difference=difference,
        weight=torch.ones(b, 1, h, w) if weight is None else weight,
        years=torch.full((b,), 2.0),
        gsd_m=torch.ones(b),
        trend=torch.full_like(low, torch.nan),
        history=History.none(low),
        keys=tuple(range(7, 7 + b)),
    )


def noise(*shape: int, seed: int = 0, scale: float = 0.1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def score(statistic: Statistic, members: Tensor, of: Cases) -> dict[str, float]:
    found = statistic.scores(statistic.sums(members, of).sum(axis=0))
    return {name: float(value) for name, value in found.items()}
