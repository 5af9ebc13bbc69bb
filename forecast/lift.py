"""What the rollout asks of a lift: from a forecast of 32, 64 or 128 px back to 128 px."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["Lift"]


class Lift(Protocol):
    """Turns a low-resolution future into a full-resolution one, given the present.

    Attributes:
        halo: Context it needs around the part that is kept, in blocks of 4x4 image pixels.
    """

    halo: int

    def __call__(self, observed: Tensor, present: Tensor, future: Tensor) -> Tensor:
        """Lift a batch by a factor f of 4, 2 or 1.

        Args:
            observed: `(b, 3, f * h, f * w)` present image, 0..1.
            present: `(b, 3, h, w)`, its means over f x f blocks.
            future: `(b, 3, h, w)`, the forecast.

        Returns:
            `(b, 3, f * h, f * w)` whose means over f x f blocks equal `future`.
        """
        ...
