"""Outlines of changed ground that follow the edges of the picture, not the grid of cells."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.network.patches import FACTOR, to_low

__all__ = ["outlined", "spread_out"]

_NEAR = 0.5
"""Standard deviation of the distance between a pixel and a cell, in cells."""
_ALIKE = 0.35
"""Likewise of their difference in colour, in units of the region's contrast."""
_AROUND = 9
"""Pixels along the window most of which has to have changed: arms of one cell are cut off."""
_STEEP = 3.0
"""How fast what is new covers what was, from half at the outline on: a pixel or two."""


def outlined(changed: Tensor, picture: Tensor) -> Tensor:
    """Bring changed cells to the pixels of a picture.

    Joint bilateral upsampling (Kopf et al. 2007): the share of the nine cells around a pixel that
    have changed, counted by how near they are and how alike in colour. A pixel has changed if more
    than half of the ground around it has. Pixels none of whose nine cells changed stay. Pixels at
    the outline show some of the ground beyond it, as mixed pixels do.

    Args:
        changed: `(b, 1, h, w)` bool.
        picture: `(b, 3, 4 * h, 4 * w)` of the ground before, in units of its contrast; one for
            all is enough.

    Returns:
        `(b, 1, 4 * h, 4 * w)` share of each pixel that has changed: 0 or from a half on. Where more
        cells have changed no share is less.
    """
    calm = F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    colours = _neighbours(to_low(picture))
    votes = _neighbours(changed.to(picture.dtype))
    weight, total = torch.zeros_like(calm[:, :1]), torch.zeros_like(calm[:, :1])
    for place in range(9):
        down, across = place // 3 - 1, place % 3 - 1
        tile = _nearness(down, across).to(calm)
        near = tile.repeat(calm.shape[-2] // FACTOR, calm.shape[-1] // FACTOR)
        apart = (calm - _enlarged(colours[:, place])).square().sum(dim=1, keepdim=True)
        share = near * torch.exp(-apart / (2 * _ALIKE**2)).clamp_min(1e-6)
        weight = weight + share
        total = total + share * _enlarged(votes[:, place])
    share = F.avg_pool2d(total / weight, _AROUND, 1, _AROUND // 2, count_include_pad=False)
    covered = (0.5 + _STEEP * (share - 0.5)).clamp(max=1)
    return torch.where((share > 0.5) & (total > 0), covered, 0)


def spread_out(values: Tensor, known: Tensor, times: int = 2) -> tuple[Tensor, Tensor]:
    """Give cells beside known ones the mean of those, `times` cells far.

    Args:
        values: `(b, c, h, w)`.
        known: `(b, 1, h, w)` bool.
        times: How many cells far.

    Returns:
        Values and where they are known.
    """
    for _ in range(times):
        weight = known.to(values.dtype)
        near = F.avg_pool2d(weight, 3, stride=1, padding=1)
        mean = F.avg_pool2d(values * weight, 3, stride=1, padding=1) / near.clamp_min(1e-6)
        values = torch.where(known, values, mean)
        known = near > 0
    return values, known


def _neighbours(cells: Tensor) -> Tensor:
    """The nine cells around each one, edges repeated: `(b, c, h, w)` to `(b, 9, c, h, w)`."""
    height, width = cells.shape[-2:]
    padded = F.pad(cells, (1, 1, 1, 1), mode="replicate")
    return torch.stack(
        [padded[..., r : r + height, c : c + width] for r in range(3) for c in range(3)], dim=1
    )


def _enlarged(cells: Tensor) -> Tensor:
    return cells.repeat_interleave(FACTOR, -1).repeat_interleave(FACTOR, -2)


@cache
def _nearness(down: int, across: int) -> Tensor:
    """Weights of the cell so far down and across, by the pixel of a cell."""
    offsets = (torch.arange(FACTOR, dtype=torch.float32) + 0.5) / FACTOR - 0.5
    rows = torch.exp(-((offsets - down) ** 2) / (2 * _NEAR**2))
    cols = torch.exp(-((offsets - across) ** 2) / (2 * _NEAR**2))
    return rows[:, None] * cols[None, :]
