"""How much ground is expected to have changed, and between which bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from preprocessing.tiles.cells import CELL

__all__ = ["ChangedArea", "cell_weights", "changed_areas"]

_HECTARE_M2 = 10_000.0
_BOUNDS = (0.05, 0.95)
_SPREAD_ALONE, _SPREAD_TAUGHT = 1.2, 0.9
"""Standard deviation of the log odds of how much changes: of one image, and with a past rate."""


@dataclass(frozen=True)
class ChangedArea:
    """Ground that has lastingly changed by a year.

    Attributes:
        expected: Area by the probabilities, and the median.
        low: 5 % quantile.
        high: 95 % quantile.
    """

    expected: float
    low: float
    high: float

    def rounded(self) -> dict[str, float]:
        """For a file: quantiles by their per cent."""
        named = {
            "expected": self.expected,
            "5": self.low,
            "50": self.expected,
            "95": self.high,
        }
        return {name: round(value, 2) for name, value in named.items()}


def changed_areas(
    probabilities: Sequence[NDArray[np.float32]], weights: NDArray[np.float64], *, taught: bool
) -> list[ChangedArea]:
    """How much has changed by each year.

    Bounds are the areas with the log odds of all cells moved by quantiles of what forecasts of how
    much changes were off by on other places (decision 27).

    Args:
        probabilities: `(h, w)` that the ground has changed by a year, for each year.
        weights: `(h, w)` from `cell_weights`.
        taught: Whether the region's past tells how much changes.
    """
    moved = (_SPREAD_TAUGHT if taught else _SPREAD_ALONE) * ndtri(_BOUNDS)

    def area(probability: NDArray[np.float32], by: float) -> float:
        return float((weights * expit(logit(probability.astype(np.float64)) + by)).sum())

    return [ChangedArea(area(p, 0.0), *(area(p, by) for by in moved)) for p in probabilities]


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
