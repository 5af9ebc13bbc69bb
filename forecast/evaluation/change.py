"""What counts as change of the ground."""

from __future__ import annotations

from torch import Tensor

__all__ = ["CHANGE_THRESHOLD", "changed"]

CHANGE_THRESHOLD = 20 / 255


def changed(difference: Tensor) -> Tensor:
    """Where the ground changed: mean absolute difference over the bands above 20/255.

    `(..., c, h, w)` in units of 0..1 to bool `(..., h, w)`.
    """
    return difference.abs().mean(dim=-3) > CHANGE_THRESHOLD
