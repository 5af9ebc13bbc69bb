"""What counts as change of the ground."""

from __future__ import annotations

from torch import Tensor

from forecast.evaluation.statistic import Truth

__all__ = ["CHANGE_THRESHOLD", "CLASSES", "changed", "class_weights"]

CHANGE_THRESHOLD = 20 / 255
CLASSES = ("", "_changed", "_unchanged")
"""What the names of scores by class end in: all ground, what changed in truth, what did not."""


def changed(difference: Tensor) -> Tensor:
    """Where the ground changed: mean absolute difference over the bands above 20/255.

    `(..., c, h, w)` in units of 0..1 to bool `(..., h, w)`.
    """
    return difference.abs().mean(dim=-3) > CHANGE_THRESHOLD


def class_weights(cases: Truth) -> tuple[Tensor, Tensor, Tensor]:
    """The weight of each pixel in each of `CLASSES`, `(b, 1, h, w)`."""
    moved = changed(cases.difference)[:, None].float()
    return cases.weight, cases.weight * moved, cases.weight * (1 - moved)
