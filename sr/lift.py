"""The lift: a low-resolution forecast becomes a full-resolution picture that carries its detail.

Where the ground stays, the best guess of its detail is the detail seen today; where it changes,
the ESRGAN's. Both are brought to the forecast's block means, so blending them mixes detail only.
A finer forecast (2x2 means) goes the same way: change is weighed, and detail generated, on its 4x4
means, and the result has the 2x2 means of the forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sr.block_means import (
    consistent,
    fit_range,
    keep_block_means,
    lift_factor,
    upsample_consistently,
)
from sr.degradations import area_downsample
from sr.inference import upscale_batch
from sr.rrdb import RRDBNet

__all__ = ["ChangeWeight", "ESRGANLift"]

_SCALE = 4
_WINDOW_PX = 5
_NO_CONTRAST = 1e-3  # Sum of two variances over three bands: noise of 0.013 a value.
_ALIKE = 0.98  # Structural similarity from which nothing has changed.


@dataclass(frozen=True)
class ChangeWeight:
    """How much of the ESRGAN's detail a change of the ground calls for.

    Two signs say that the observed detail is out of date: the values change, or their pattern
    does. A field that turns from green to brown keeps its pattern; a picture of the same ground
    that lies a pixel off, or at another season, does not, and its detail misleads.

    Attributes:
        none_below: Change (root mean square over channels, units of 0..1) up to which the
            observed detail stays untouched.
        full_above: Change from which all detail is new.
        structure_power: Power of the structural similarity that is left of the detail.
    """

    none_below: float = 0.02
    full_above: float = 0.15
    structure_power: float = 3.0

    def __post_init__(self) -> None:
        if not (0 <= self.none_below < self.full_above and self.structure_power >= 0):
            raise ValueError(
                f"expected 0 <= none_below < full_above and structure_power >= 0, got {self}"
            )

    def __call__(self, present: Tensor, future: Tensor) -> Tensor:
        """Weight of the new detail, without edges.

        A smoothstep of the locally averaged change, widened by two pixels and then blurred by
        as much: it is 1, to 1 %, on all of a strong change and exactly 0 six pixels away from it.
        What that leaves to the observed detail is multiplied with a power of the structural
        similarity of present and future.

        Args:
            present: `(b, c, h, w)`, 0..1.
            future: Like `present`.

        Returns:
            `(b, 1, 4h, 4w)`, 0..1.
        """
        local = _box_blur(future - present)
        size = local.square().mean(dim=1, keepdim=True).sqrt()
        t = ((size - self.none_below) / (self.full_above - self.none_below)).clamp(0, 1)
        new = functional.max_pool2d(t * t * (3 - 2 * t), 5, stride=1, padding=2)
        new = _box_blur(_box_blur(new))
        alike = _box_blur((_structure(present, future) / _ALIKE).clamp(0, 1))
        weight = 1 - (1 - new) * alike**self.structure_power
        return functional.interpolate(
            weight, scale_factor=float(_SCALE), mode="bilinear", align_corners=False
        ).clamp(0, 1)


class ESRGANLift:
    """Lifts forecasts with an RRDBNet and the observed detail.

    Args:
        network: Upscales by four; used in evaluation mode, on its own device.
        weight: When detail is replaced.
        halo: Blocks of 4x4 pixels around a tile that influence its inside.
    """

    def __init__(
        self, network: RRDBNet, *, weight: ChangeWeight | None = None, halo: int = 8
    ) -> None:
        self.network = network.eval()
        self.weight = weight or ChangeWeight()
        self.halo = halo

    @torch.inference_mode()
    def __call__(
        self,
        observed: Tensor,
        present: Tensor,
        future: Tensor,
        *,
        generated: Tensor | None = None,
    ) -> Tensor:
        """Lift a batch; each tile's result is independent of the others.

        Args:
            observed: `(b, 3, f * h, f * w)` float32, 0..1: today at full resolution; f is 4, 2
                or 1, and the sides are multiples of 4.
            present: `(b, 3, h, w)` float32: means of `observed` over f x f blocks.
            future: `(b, 3, h, w)` float32: the forecast.
            generated: Like `observed`, what the network makes of the 4x4 means of the forecast, if
                that is known.

        Returns:
            `(b, 3, f * h, f * w)` float32 whose f x f block means are `future`, within 0..1 where
            `future` is. A tile without any change is returned bit by bit. With f = 1 nothing is
            left to lift: `future`.

        Raises:
            ValueError: The shapes do not fit together.
            LandcastError: The network fails.
        """
        factor = lift_factor(observed, present, future)
        if factor == 1:
            return future.clone()
        blocks = _SCALE // factor
        coarse = area_downsample(future, blocks)
        result = observed + upsample_consistently(future - present, factor)
        weight = self.weight(area_downsample(present, blocks), coarse)
        active = weight.amax(dim=(1, 2, 3)) > 0
        if bool(active.any()):
            means = future[active]
            if generated is None:
                detail = upscale_batch(self.network, coarse[active])
            else:
                detail = generated[active]
            mixed = torch.lerp(result[active], consistent(detail, means), weight[active])
            result[active] = consistent(mixed, means)
        return fit_range(keep_block_means(result, future), future)


def _box_blur(image: Tensor) -> Tensor:
    """Mean over 3x3 neighbours, fewer at the edge."""
    return functional.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)


def _structure(present: Tensor, future: Tensor) -> Tensor:
    """Contrast and structure of SSIM (Wang et al. 2004, eqs. 9 and 10 with C3 = C2 / 2).

    Over 5x5 windows, all bands as one vector: `(b, c, h, w)` to `(b, 1, h, w)`, -1..1.
    """

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool2d(
            x, _WINDOW_PX, stride=1, padding=_WINDOW_PX // 2, count_include_pad=False
        )

    a, b = mean(present), mean(future)
    shared = (mean(present * future) - a * b).sum(dim=1, keepdim=True)
    each = (mean(present.square() + future.square()) - a * a - b * b).sum(dim=1, keepdim=True)
    return (2 * shared + _NO_CONTRAST) / (each + _NO_CONTRAST)
