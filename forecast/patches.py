"""A 128 px image as patch channels of the output's size, e.g. 48 of 32 x 32, and back."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "FACTOR",
    "OUTPUT_SIZES",
    "TILE_PX",
    "PatchLayout",
    "from_patches",
    "padded_shape",
    "to_low",
    "to_patches",
]

PatchLayout = Literal["aligned", "contiguous"]
TILE_PX = 128
OUTPUT_SIZES = (32, 64, 128)
FACTOR = 4
"""Image pixels along one of a forecast of 32 px a tile; all forecasts are scored at that size."""


def to_patches(image: Tensor, layout: PatchLayout = "aligned", factor: int = FACTOR) -> Tensor:
    """Stack an image as patch channels; exact and invertible.

    With a factor of 4 `aligned` takes the sixteen 4x4 phases (`pixel_unshuffle`): every channel
    lies on the grid of the output. `contiguous` takes sixteen neighbouring quarter-size patches,
    the layout of the first published system of this kind.

    Args:
        image: `(b, c, factor * h, factor * w)`.
        layout: Which of the two.
        factor: Image pixels along one output pixel.

    Returns:
        `(b, factor ** 2 * c, h, w)`.
    """
    if layout == "aligned":
        return F.pixel_unshuffle(image, factor)
    if layout != "contiguous":
        raise ValueError(f"expected the layout aligned or contiguous, got {layout!r}")
    b, c, height, width = image.shape
    h, w = height // factor, width // factor
    grid = image.reshape(b, c, factor, h, factor, w)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(b, factor**2 * c, h, w)


def from_patches(patches: Tensor, layout: PatchLayout = "aligned", factor: int = FACTOR) -> Tensor:
    """Undo `to_patches`: `(b, factor ** 2 * c, h, w)` to `(b, c, factor * h, factor * w)`."""
    if layout == "aligned":
        return F.pixel_shuffle(patches, factor)
    b, channels, h, w = patches.shape
    c = channels // factor**2
    grid = patches.reshape(b, factor, factor, c, h, w)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(b, c, factor * h, factor * w)


def to_low(image: Tensor, factor: int = FACTOR) -> Tensor:
    """Mean over blocks, 4x4 by default: `(b, c, factor * h, factor * w)` to `(b, c, h, w)`."""
    return F.avg_pool2d(image, factor)


def padded_shape(height: int, width: int) -> tuple[int, int]:
    """Smallest shape that holds the image, is a multiple of 4 and no smaller than a tile."""
    return (
        max(TILE_PX, -(-height // FACTOR) * FACTOR),
        max(TILE_PX, -(-width // FACTOR) * FACTOR),
    )
