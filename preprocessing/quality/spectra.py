"""Power spectra: how much texture a picture has, at every scale."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ROUNDING_POWER", "radial_log_power"]

ROUNDING_POWER = (1 / 255) ** 2 / 12
"""Power of the rounding of a picture to bytes, range 0..1: white noise of that variance."""


def radial_log_power(field: Tensor, *, floor: float = 0.0) -> Tensor:
    """Radially averaged power spectrum in decibels.

    Mean removed, Hann window, mean over bands and over rings one cycle wide. White noise of
    variance v has the power v in every ring, whatever the window.

    Args:
        field: `(..., c, n, n)`, n even.
        floor: Power below which there is nothing to be compared; added to the power.

    Returns:
        `(..., n / 2)`: rings of 1 to n / 2 cycles a tile.
    """
    size = field.shape[-1]
    window = torch.hann_window(size, periodic=False, dtype=torch.float64)
    taper = window[:, None] * window
    field = field.double()
    field = (field - field.mean(dim=(-2, -1), keepdim=True)) * taper
    power = torch.fft.fft2(field).abs().square().mean(dim=-3) / taper.square().sum()
    cycles = torch.fft.fftfreq(size, 1 / size)
    ring = (cycles[:, None].square() + cycles.square()).sqrt().round().long()
    rings = torch.nn.functional.one_hot(ring.flatten(), int(ring.max()) + 1).double()
    mean = (power.flatten(-2) @ rings / rings.sum(dim=0))[..., 1 : size // 2 + 1]
    return 10 * torch.log10(mean + floor)
