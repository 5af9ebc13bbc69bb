"""How much ground is expected to have changed, with what the members say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.cells import CELL

__all__ = ["ChangedArea", "cell_weights"]

_HECTARE_M2 = 10_000.0


@dataclass(frozen=True)
class ChangedArea:
    """Ground that has lastingly changed by a year.

    Attributes:
        expected: Area by the mean probability.
        low: 5 % quantile of the areas of the members.
        middle: Their median.
        high: Their 95 % quantile.
    """

    expected: float
    low: float
    middle: float
    high: float

    def rounded(self) -> dict[str, float]:
        """For a file: quantiles by their per cent."""
        named = {"expected": self.expected, "5": self.low, "50": self.middle, "95": self.high}
        return {name: round(value, 2) for name, value in named.items()}

    @classmethod
    def of(
        cls,
        probability: NDArray[np.float32],
        changed: Sequence[NDArray[np.bool_]],
        weights: NDArray[np.float64],
    ) -> ChangedArea:
        """Measure a year.

        Args:
            probability: `(h, w)` mean of the accumulated probabilities of the members.
            changed: `(h, w)` of each member.
            weights: `(h, w)` area of each cell.
        """
        areas = [float(weights[cells].sum()) for cells in changed]
        low, middle, high = np.quantile(areas, (0.05, 0.5, 0.95))
        return cls(float((probability * weights).sum()), float(low), float(middle), float(high))


def cell_weights(
    valid: NDArray[np.bool_], shape: tuple[int, int], gsd_m: float | None
) -> NDArray[np.float64]:
    """Area of the valid ground in each cell: hectares, or pixels where their size is not known.

    Args:
        valid: `(height, width)` pixels of the region that were seen.
        shape: Rows and columns of cells that hold them.
        gsd_m: Metres per pixel.
    """
    padded = np.zeros((CELL * shape[0], CELL * shape[1]), np.uint8)
    padded[: valid.shape[0], : valid.shape[1]] = valid
    pixels = padded.reshape(shape[0], CELL, shape[1], CELL).sum(axis=(1, 3), dtype=np.float64)
    area = 1.0 if gsd_m is None else gsd_m**2 / _HECTARE_M2
    return np.asarray(pixels * area, dtype=np.float64)
