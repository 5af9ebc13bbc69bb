"""A 128 px image as 48 patch channels of 32 x 32, and back."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

__all__ = ["FACTOR", "PatchLayout", "from_patches", "to_low", "to_patches"]

PatchLayout = Literal["aligned", "contiguous"]
FACTOR = 4


def to_patches(image: Tensor, layout: PatchLayout = "aligned") -> Tensor:
    """Stack an image as patch channels; exact and invertible.

    `aligned` takes the sixteen 4x4 phases (`pixel_unshuffle`): every channel lies on the grid of
    the output. `contiguous` takes sixteen neighbouring quarter-size patches, the layout of the
    first published system of this kind.

    Args:
        image: `(b, c, 4h, 4w)`.
        layout: Which of the two.

    Returns:
        `(b, 16c, h, w)`.
    """
    if layout == "aligned":
        return F.pixel_unshuffle(image, FACTOR)
    if layout != "contiguous":
        raise ValueError(f"expected the layout aligned or contiguous, got {layout!r}")
    b, c, height, width = image.shape
    h, w = height // FACTOR, width // FACTOR
    grid = image.reshape(b, c, FACTOR, h, FACTOR, w)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(b, FACTOR * FACTOR * c, h, w)


def from_patches(patches: Tensor, layout: PatchLayout = "aligned") -> Tensor:
    """Undo `to_patches`: `(b, 16c, h, w)` to `(b, c, 4h, 4w)`."""
    if layout == "aligned":
        return F.pixel_shuffle(patches, FACTOR)
    b, channels, h, w = patches.shape
    c = channels // FACTOR**2
    grid = patches.reshape(b, FACTOR, FACTOR, c, h, w)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(b, c, FACTOR * h, FACTOR * w)


def to_low(image: Tensor) -> Tensor:
    """Mean over 4x4 blocks: `(b, c, 4h, 4w)` to `(b, c, h, w)`."""
    return F.avg_pool2d(image, FACTOR)
