"""The CRPS of an ensemble: of values, and of fields at several scales, masked by validity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["fair_crps", "masked_mean", "multiscale_crps"]


def fair_crps(members: Tensor, truth: Tensor) -> Tensor:
    """Fair (unbiased) continuous ranked probability score of an ensemble, for each value.

    Ferro 2014, eq. 8: mean |x_i - y| minus half the mean of |x_i - x_j| over i != j.

    Args:
        members: `(m, ...)` with m >= 2.
        truth: `(...)`.

    Returns:
        `(...)`, lower is better; may be negative for single values.
    """
    m = members.shape[0]
    skill = (members - truth).abs().mean(dim=0)
    # Sum over pairs from order statistics: sum_{i<j} |x_i - x_j| = sum_k (2k - m + 1) x_(k).
    ordered = members.sort(dim=0).values
    weights = torch.arange(m, dtype=members.dtype, device=members.device) * 2 - (m - 1)
    pairs = (ordered * weights.view(-1, *[1] * truth.ndim)).sum(dim=0)
    return skill - pairs / (m * (m - 1))


def masked_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of `(b, c, h, w)` values under `(b, 1, h, w)` weights."""
    total = weight.sum() * values.shape[1]
    return (values * weight).sum() / total.clamp_min(1e-6)


def multiscale_crps(
    members: Tensor,
    truth: Tensor,
    weight: Tensor,
    *,
    pool_scales: Sequence[int],
    increment_lags: Sequence[int] = (),
) -> Tensor:
    """Mean over several linear views of the fields of their fair CRPS.

    Scores of single values do not see whether neighbours or bands change together. Bands are
    therefore joined by their mean and their differences, so that a member whose bands change
    apart (purple and green blobs) is scored worse than one that changes as the ground does. For
    neighbours there are two families of views: means over blocks, and increments between pixels
    some lags apart, the same idea as the variogram score (Scheuerer and Hamill 2015). Inside a
    field that stays or changes as a whole the increments of the difference are zero, so members
    that paint blobs across fields are scored worse than members whose changes end where the
    fields end.

    Args:
        members: `(m, b, 3, h, w)`.
        truth: `(b, 3, h, w)`.
        weight: `(b, 1, h, w)`, 1 where the truth is observed.
        pool_scales: Block sizes in pixels.
        increment_lags: Distances in pixels, along both axes.
    """
    members, truth = _bands(members), _bands(truth)
    terms = []
    for scale in pool_scales:
        share = F.avg_pool2d(weight, scale)
        safe = share.clamp_min(1e-6)
        flat = F.avg_pool2d((members * weight).flatten(0, 1), scale)
        pooled = flat.reshape(*members.shape[:2], *flat.shape[1:]) / safe
        target = F.avg_pool2d(truth * weight, scale) / safe
        terms.append(masked_mean(fair_crps(pooled, target), share))
    for lag in increment_lags:
        for axis in (-2, -1):
            terms.append(
                masked_mean(
                    fair_crps(_increment(members, lag, axis), _increment(truth, lag, axis)),
                    _both(weight, lag, axis),
                )
            )
    return torch.stack(terms).mean()


def _bands(field: Tensor) -> Tensor:
    """`(..., 3, h, w)` to `(..., 7, h, w)`: the bands, their mean, their differences."""
    mean = field.mean(dim=-3, keepdim=True)
    return torch.cat([field, mean, field - field.roll(1, dims=-3)], dim=-3)


def _increment(field: Tensor, lag: int, axis: int) -> Tensor:
    size = field.shape[axis]
    return field.narrow(axis, lag, size - lag) - field.narrow(axis, 0, size - lag)


def _both(weight: Tensor, lag: int, axis: int) -> Tensor:
    size = weight.shape[axis]
    return weight.narrow(axis, lag, size - lag) * weight.narrow(axis, 0, size - lag)
