"""How near a picture is to the truth, pixel by pixel, and how sharp beside it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["gradient_ratio", "psnr_db"]

_BORDER_PX = 4


def psnr_db(estimate: Tensor, truth: Tensor) -> Tensor:
    """PSNR over all channels, `(b, c, h, w)` in 0..1 to `(b,)`, borders of 4 pixels left out."""
    inner = (..., slice(_BORDER_PX, -_BORDER_PX), slice(_BORDER_PX, -_BORDER_PX))
    error = (estimate.clamp(0, 1) - truth)[inner].double().square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error.clamp_min(1e-10))


def gradient_ratio(estimate: Tensor, truth: Tensor) -> Tensor:
    """Sum of squared differences of neighbours over the truth's; `(b, c, h, w)` to `(b,)`."""
    return _gradient_energy(estimate) / _gradient_energy(truth).clamp_min(1e-12)


def _gradient_energy(image: Tensor) -> Tensor:
    x = image.double()
    return x.diff(dim=-1).square().sum(dim=(1, 2, 3)) + x.diff(dim=-2).square().sum(dim=(1, 2, 3))
