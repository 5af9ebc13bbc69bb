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
    def of(cls, expected: float, members: Sequence[float]) -> ChangedArea:
        """From the expected area and that which changes in each member."""
        low, middle, high = np.quantile(members, (0.05, 0.5, 0.95))
        return cls(expected, float(low), float(middle), float(high))


def cell_weights(valid: NDArray[np.bool_], gsd_m: float | None) -> NDArray[np.float64]:
    """Area of the valid ground in each cell: hectares, or pixels where their size is not known.

    Args:
        valid: `(height, width)` pixels of the region that were seen.
        gsd_m: Metres per pixel.

    Returns:
        `(h, w)`, the last row and column of which may hold fewer pixels than a cell.
    """
    rows, cols = (-(-size // CELL) for size in valid.shape)
    padded = np.zeros((CELL * rows, CELL * cols), np.uint8)
    padded[: valid.shape[0], : valid.shape[1]] = valid
    pixels = padded.reshape(rows, CELL, cols, CELL).sum(axis=(1, 3), dtype=np.float64)
    area = 1.0 if gsd_m is None else gsd_m**2 / _HECTARE_M2
    return np.asarray(pixels * area, dtype=np.float64)
