"""What the rollout asks of a lift: from a 32 px forecast back to 128 px."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["Lift"]


class Lift(Protocol):
    """Turns a low-resolution future into a full-resolution one, given the present.

    Attributes:
        halo: Low-resolution pixels of context it needs around the part that is kept.
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
