"""What a forecast asks of a lift: from cells back to pixels."""

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
        """Lift a batch.

        Args:
            observed: `(b, 3, 4h, 4w)` present image, 0..1.
            present: `(b, 3, h, w)`, its means over 4x4 blocks.
            future: `(b, 3, h, w)`, the forecast.

        Returns:
            `(b, 3, 4h, 4w)` whose means over 4x4 blocks equal `future`.
        """
        ...
