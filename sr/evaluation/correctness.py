"""Improvement, omission and hallucination: whose detail does an upscaled picture show."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Correctness", "correctness"]

_SCALE = 4
_GAMMA = 0.05
_TEMPERATURE = 0.25
_QUANTILE = 0.75
_TINY = 1e-6


@dataclass(frozen=True)
class Correctness:
    """Maps of three shares that add up to 1, NaN where there is no detail to judge.

    Attributes:
        improvement: `(b, h, w)`, nearer the truth's detail.
        omission: Nearer the input without any.
        hallucination: Near neither: detail that is not there.
    """

    improvement: Tensor
    omission: Tensor
    hallucination: Tensor


def correctness(estimate: Tensor, truth: Tensor, low: Tensor) -> Correctness:
    """Correctness of Aybar et al. 2024 (opensr-test, doi 10.1109/LGRS.2024.3401394).

    With d the normalised difference `|x - y| / (x + y)`, mean over bands, and the distance of
    input (enlarged bilinearly) and truth as the unit, `i = d(estimate, truth)`,
    `o = d(estimate, input)` and `H = i + o - 1` give distances from three corners,
    `i + o (1 - exp(-g H))`, `o + i (1 - exp(-g H))` and `exp(-g i o)`, which a softmin turns into
    shares. g, temperature and mask are those of the published benchmark's pixel distance (version
    1.3): g 0.05, temperature 0.25, pixels where one of the three distances is above the upper
    quartile of d(input, truth).

    The benchmark matches the estimate's histogram and position to the truth first, because its
    two resolutions come from two sensors. Here the input is made from the truth, so this is not
    done: a colour error counts.

    Args:
        estimate: `(b, c, 4h, 4w)`, 0..1.
        truth: Like `estimate`.
        low: `(b, c, h, w)`, what was enlarged.

    Returns:
        Maps of `(b, 4h, 4w)`.
    """
    enlarged = functional.interpolate(
        low, scale_factor=float(_SCALE), mode="bilinear", align_corners=False
    )
    unit = _distance(enlarged, truth)
    to_truth, to_input = _distance(estimate, truth), _distance(estimate, enlarged)
    threshold = unit.flatten(1).quantile(_QUANTILE, dim=1)[:, None, None]
    judged = torch.stack([unit, to_truth, to_input]).amax(dim=0) > threshold
    i, o = to_truth / unit.clamp_min(_TINY), to_input / unit.clamp_min(_TINY)
    bend = 1 - torch.exp(-_GAMMA * (i + o - 1))
    corners = torch.stack([i + o * bend, o + i * bend, torch.exp(-_GAMMA * i * o)])
    shares = torch.softmax(-corners / _TEMPERATURE, dim=0)
    shares = torch.where(judged, shares, torch.full_like(shares, torch.nan))
    return Correctness(*shares)


def _distance(x: Tensor, y: Tensor) -> Tensor:
    return ((x - y).abs() / (x + y).clamp_min(_TINY)).mean(dim=1)
