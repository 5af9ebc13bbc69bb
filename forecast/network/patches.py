"""From 3 channels of 128 x 128 to 48 of 32 x 32."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

__all__ = ["FACTOR", "TILE_PX", "padded_shape", "to_low", "to_patches"]

TILE_PX = 128
FACTOR = 4
"""Image pixels along one of a forecast of 32 px a tile; all forecasts are scored at that size."""


def to_patches(image: Tensor) -> Tensor:
    """Stack the sixteen 4x4 phases of an image as channels; exact and invertible.

    Every channel lies on the grid of the output.

    Args:
        image: `(b, c, 4 * h, 4 * w)`.

    Returns:
        `(b, 16 * c, h, w)`.
    """
    return F.pixel_unshuffle(image, FACTOR)


def to_low(image: Tensor, factor: int = FACTOR) -> Tensor:
    """Mean over blocks, 4x4 by default: `(b, c, factor * h, factor * w)` to `(b, c, h, w)`."""
    return F.avg_pool2d(image, factor)


def padded_shape(height: int, width: int) -> tuple[int, int]:
    """Smallest shape that holds the image, is a multiple of 4 and no smaller than a tile."""
    return (
        max(TILE_PX, -(-height // FACTOR) * FACTOR),
        max(TILE_PX, -(-width // FACTOR) * FACTOR),
    )
