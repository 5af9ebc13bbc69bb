"""Pictures with given block means: what a lift may add to a forecast is detail only."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sr.network.rrdb import bicubic_upsample
from sr.training.degradations import area_downsample

__all__ = [
    "consistent",
    "copied_where_same",
    "fit_range",
    "keep_block_means",
    "keep_means",
    "upsample_consistently",
]

_SCALE = 4
_ITERATIONS = 6
_ROUNDING = 5e-7


def consistent(image: Tensor, means: Tensor) -> Tensor:
    """Iterative back-projection (Irani & Peleg 1991): give `image` the block means `means`.

    Args:
        image: `(b, c, f * h, f * w)`.
        means: `(b, c, h, w)`.

    Returns:
        `image` plus a smooth correction; block means are right to about 1 % of the correction.
    """
    factor = _ratio(image, means)
    return image + upsample_consistently(means - area_downsample(image, factor), factor)


def keep_means(image: Tensor, means: Tensor) -> Tensor:
    """`consistent`, then exact: block means are `means` up to rounding.

    Args:
        image: `(b, c, 4h, 4w)`.
        means: `(b, c, h, w)`.

    Returns:
        `(b, c, 4h, 4w)`, within 0..1 in blocks whose mean is.
    """
    return fit_range(keep_block_means(consistent(image, means), means), means)


def upsample_consistently(low: Tensor, factor: int = _SCALE) -> Tensor:
    """Smooth upsampling of `(b, c, h, w)` whose block means come close to `low` again.

    Cubic interpolation, repeated on what its block means still miss. Linear in `low`.
    """
    target = low
    for _ in range(_ITERATIONS - 1):
        target = target + (low - area_downsample(bicubic_upsample(target, factor), factor))
    return bicubic_upsample(target, factor)


def keep_block_means(image: Tensor, means: Tensor) -> Tensor:
    """Remove the last differences of block means; what rounding explains is left alone."""
    factor = _ratio(image, means)
    missing = means - area_downsample(image, factor)
    missing = torch.where(missing.abs() > _ROUNDING, missing, torch.zeros_like(missing))
    return image + _repeat(missing, factor)


def copied_where_same(image: Tensor, observed: Tensor, change: Tensor) -> Tensor:
    """`image`, but `observed` bit for bit in blocks of which no band changes.

    Args:
        image: `(b, c, f * h, f * w)`.
        observed: The same.
        change: `(b, c, h, w)`.
    """
    changed = (change != 0).any(dim=1, keepdim=True)
    return torch.where(_repeat(changed, _ratio(image, change)), image, observed)


def fit_range(image: Tensor, means: Tensor) -> Tensor:
    """Reduce the contrast of blocks that leave 0..1, around their mean, until they fit."""
    factor = _ratio(image, means)
    highest = functional.max_pool2d(image, factor)
    lowest = -functional.max_pool2d(-image, factor)
    outside = (highest > 1) | (lowest < 0)
    if not bool(outside.any()):
        return image
    tiny = torch.finfo(image.dtype).tiny
    above = (1 - means) / (highest - means).clamp_min(tiny)
    below = means / (means - lowest).clamp_min(tiny)
    contrast = torch.minimum(above, below).clamp(0, 1)
    centre = _repeat(means, factor)
    fitted = centre + (image - centre) * _repeat(contrast, factor)
    fitted = fitted.maximum(centre.clamp_max(0)).minimum(centre.clamp_min(1))
    return torch.where(_repeat(outside, factor), fitted, image)


def _repeat(low: Tensor, factor: int) -> Tensor:
    return low.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)


def _ratio(image: Tensor, means: Tensor) -> int:
    return image.shape[-1] // means.shape[-1]
