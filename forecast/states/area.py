"""How much ground is expected to have changed, and between which bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from forecast.states.events import event_levels
from preprocessing.tiles.cells import CELL

__all__ = ["ChangedArea", "cell_weights", "changed_areas"]

_HECTARE_M2 = 10_000.0
_DRAWS, _STEP = 40, 7
"""Draws of how much changes and where that bounds are taken from; members are too few."""
_SPREAD_ALONE, _SPREAD_TAUGHT = 1.2, 0.9
"""Standard deviation of the log odds of how much changes: of one image, and with a past rate."""


@dataclass(frozen=True)
class ChangedArea:
    """Ground that has lastingly changed by a year.

    Attributes:
        expected: Area by the mean probability.
        low: 5 % quantile of the areas of many draws of how much changes, and where.
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


def changed_areas(
    probabilities: Sequence[NDArray[np.float32]],
    weights: NDArray[np.float64],
    objects: NDArray[np.int64],
    *,
    taught: bool,
    seed: int,
) -> list[ChangedArea]:
    """How much has changed by each year.

    A draw of the events has the log odds of all cells moved by as much as forecasts of how much
    changes were off on other places (decision 27), the same in all years.

    Args:
        probabilities: `(h, w)` that the ground has changed by a year, for each year.
        weights: `(h, w)` from `cell_weights`.
        objects: From `region_objects`, of the region or more.
        taught: Whether the region's past tells how much changes.
        seed: Seed of the run.
    """
    height, width = weights.shape
    drawn = np.zeros((_DRAWS, len(probabilities)))
    spread = _SPREAD_TAUGHT if taught else _SPREAD_ALONE
    for member in range(_DRAWS):
        levels = event_levels(objects, seed=seed, member=member)[:height, :width]
        # Quantiles of the normal distribution, each beside another pattern of events.
        moved = spread * ndtri((member * _STEP % _DRAWS + 0.5) / _DRAWS)
        levels = expit(logit(levels) - moved)
        drawn[member] = [weights[levels < probability].sum() for probability in probabilities]
    expected = [float((weights * probability).sum()) for probability in probabilities]
    bounds = np.quantile(drawn, (0.05, 0.5, 0.95), axis=0).T.tolist()
    return [ChangedArea(mean, *found) for mean, found in zip(expected, bounds, strict=True)]


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
