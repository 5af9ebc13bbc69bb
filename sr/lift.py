"""The lift: a low-resolution forecast becomes a full-resolution picture that carries its detail.

Where the ground stays, the best guess of its detail is the detail seen today; where it changes,
the ESRGAN's. Both are brought to the forecast's block means, so blending them mixes detail only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sr.degradations import area_downsample
from sr.inference import upscale_batch
from sr.rrdb import RRDBNet, bicubic_upsample

__all__ = ["ChangeWeight", "ESRGANLift", "consistent", "upsample_consistently"]

_SCALE = 4
_ITERATIONS = 6
_ROUNDING = 5e-7


@dataclass(frozen=True)
class ChangeWeight:
    """How much of the ESRGAN's detail a change of the ground calls for.

    Attributes:
        none_below: Change (root mean square over channels, units of 0..1) up to which the
            observed detail stays untouched.
        full_above: Change from which all detail is new.
    """

    none_below: float = 0.05
    full_above: float = 0.15

    def __post_init__(self) -> None:
        if not 0 <= self.none_below < self.full_above:
            raise ValueError(f"expected 0 <= none_below < full_above, got {self}")

    def __call__(self, change: Tensor) -> Tensor:
        """Weight of the new detail, without edges.

        A smoothstep of the locally averaged change, widened by two pixels and then blurred by
        as much: it is 1, to 1 %, on all of a strong change and exactly 0 six pixels away from it.

        Args:
            change: `(b, c, h, w)`, future minus present.

        Returns:
            `(b, 1, 4h, 4w)`, 0..1.
        """
        local = _box_blur(change)
        size = local.square().mean(dim=1, keepdim=True).sqrt()
        t = ((size - self.none_below) / (self.full_above - self.none_below)).clamp(0, 1)
        weight = functional.max_pool2d(t * t * (3 - 2 * t), 5, stride=1, padding=2)
        weight = _box_blur(_box_blur(weight))
        return functional.interpolate(
            weight, scale_factor=float(_SCALE), mode="bilinear", align_corners=False
        ).clamp(0, 1)


class ESRGANLift:
    """Lifts forecasts with an RRDBNet and the observed detail.

    Args:
        network: Upscales by four; used in evaluation mode, on its own device.
        weight: When detail is replaced.
        halo: Low-resolution pixels around a tile that influence its inside.
    """

    def __init__(
        self, network: RRDBNet, *, weight: ChangeWeight | None = None, halo: int = 8
    ) -> None:
        self.network = network.eval()
        self.weight = weight or ChangeWeight()
        self.halo = halo

    @torch.inference_mode()
    def __call__(self, observed: Tensor, present: Tensor, future: Tensor) -> Tensor:
        """Lift a batch; each tile's result is independent of the others.

        Args:
            observed: `(b, 3, 4h, 4w)` float32, 0..1: today at full resolution.
            present: `(b, 3, h, w)` float32: means of `observed` over 4x4 blocks.
            future: `(b, 3, h, w)` float32: the forecast.

        Returns:
            `(b, 3, 4h, 4w)` float32 whose 4x4 block means are `future`, within 0..1 where
            `future` is. A tile without any change is returned bit by bit.

        Raises:
            ValueError: The shapes do not fit together.
            LandcastError: The network fails.
        """
        _check(observed, present, future)
        change = future - present
        result = observed + upsample_consistently(change)
        weight = self.weight(change)
        active = weight.amax(dim=(1, 2, 3)) > 0
        if bool(active.any()):
            generated = consistent(upscale_batch(self.network, future[active]), future[active])
            mixed = torch.lerp(result[active], generated, weight[active])
            result[active] = consistent(mixed, future[active])
        return _fit_range(_exact(result, future), future)


def consistent(image: Tensor, means: Tensor) -> Tensor:
    """Iterative back-projection (Irani & Peleg 1991): give `image` the block means `means`.

    Args:
        image: `(b, c, 4h, 4w)`.
        means: `(b, c, h, w)`.

    Returns:
        `image` plus a smooth correction; block means are right to about 1 % of the correction.
    """
    return image + upsample_consistently(means - area_downsample(image, _SCALE))


def upsample_consistently(low: Tensor) -> Tensor:
    """Smooth upsampling of `(b, c, h, w)` whose 4x4 block means come close to `low` again.

    Cubic interpolation, repeated on what its block means still miss. Linear in `low`.
    """
    target = low
    for _ in range(_ITERATIONS - 1):
        target = target + (low - area_downsample(bicubic_upsample(target, _SCALE), _SCALE))
    return bicubic_upsample(target, _SCALE)


def _exact(image: Tensor, means: Tensor) -> Tensor:
    """Remove the last differences of block means; what rounding explains is left alone."""
    missing = means - area_downsample(image, _SCALE)
    missing = torch.where(missing.abs() > _ROUNDING, missing, torch.zeros_like(missing))
    return image + _repeat(missing)


def _fit_range(image: Tensor, means: Tensor) -> Tensor:
    """Reduce the contrast of blocks that leave 0..1, around their mean, until they fit."""
    highest = functional.max_pool2d(image, _SCALE)
    lowest = -functional.max_pool2d(-image, _SCALE)
    outside = (highest > 1) | (lowest < 0)
    if not bool(outside.any()):
        return image
    tiny = torch.finfo(image.dtype).tiny
    above = (1 - means) / (highest - means).clamp_min(tiny)
    below = means / (means - lowest).clamp_min(tiny)
    contrast = torch.minimum(above, below).clamp(0, 1)
    centre = _repeat(means)
    fitted = centre + (image - centre) * _repeat(contrast)
    fitted = fitted.maximum(centre.clamp_max(0)).minimum(centre.clamp_min(1))
    return torch.where(_repeat(outside), fitted, image)


def _repeat(low: Tensor) -> Tensor:
    return low.repeat_interleave(_SCALE, dim=-2).repeat_interleave(_SCALE, dim=-1)


def _box_blur(image: Tensor) -> Tensor:
    """Mean over 3x3 neighbours, fewer at the edge."""
    return functional.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)


def _check(observed: Tensor, present: Tensor, future: Tensor) -> None:
    batch, channels, height, width = future.shape
    if present.shape != future.shape:
        raise ValueError(f"expected equal shapes, got {present.shape} and {future.shape}")
    expected = (batch, channels, _SCALE * height, _SCALE * width)
    if tuple(observed.shape) != expected:
        raise ValueError(f"expected `observed` of shape {expected}, got {tuple(observed.shape)}")
