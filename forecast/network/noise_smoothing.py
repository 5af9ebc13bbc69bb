"""White noise of the ground given the sizes of what lies on it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["HALO", "shaped"]

_SIGMAS = (4.0, 1.5, 0.0)
"""Of the Gaussian window of each channel, in cells; the last channel stays white."""
HALO = 12
"""Cells around a window that its noise depends on."""


def shaped(white: Tensor) -> Tensor:
    """Smooth two of three channels of white noise; every value stays standard normal.

    Args:
        white: `(b, 3, h + 2 * HALO, w + 2 * HALO)` standard normal, independent.

    Returns:
        `(b, 3, h, w)`: a function of the ground as the white noise is, so windows that overlap
        share it.
    """
    channels = []
    for number, sigma in enumerate(_SIGMAS):
        field = white[:, number : number + 1]
        if sigma:
            offsets = torch.arange(-HALO, HALO + 1, dtype=white.dtype, device=white.device)
            kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
            kernel = kernel / kernel.square().sum().sqrt()
            field = F.conv2d(field, kernel.view(1, 1, -1, 1), padding=(HALO, 0))
            field = F.conv2d(field, kernel.view(1, 1, 1, -1), padding=(0, HALO))
        channels.append(field[..., HALO:-HALO, HALO:-HALO])
    return torch.cat(channels, dim=1)
