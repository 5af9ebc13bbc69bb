"""How much ground is expected to have changed, and between which bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from forecast.region.change_allocation import allocated, event_levels
from forecast.region.windows import strips
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros
from preprocessing.tiles.cells import CELL

__all__ = ["ChangedArea", "Zone", "cell_weights", "changed_areas", "log_odds_spread", "zone_areas"]

_HECTARE_M2 = 10_000.0
_BOUNDS = (0.05, 0.5, 0.95)
_DRAWS, _STEP = 100, 37
"""Draws of the events of zones; members are too few."""
_SPREAD_ALONE, _SPREAD_TAUGHT = 2.0, 1.5
"""Standard deviation of the log odds of how much changes: of one image, and with a past rate."""


@dataclass(frozen=True)
class ChangedArea:
    """Ground that has lastingly changed by a year.

    Attributes:
        expected: Area by the probabilities.
        low: 5 % quantile.
        middle: Median.
        high: 95 % quantile.
    """

    expected: float
    low: float
    middle: float
    high: float

    def rounded(self) -> dict[str, float]:
        """For a file: quantiles by their per cent."""
        named = {"expected": self.expected, "5": self.low, "50": self.middle, "95": self.high}
        return {name: round(value, 2) for name, value in named.items()}


@dataclass(frozen=True)
class Zone:
    """A part of a region.

    Attributes:
        window: Cells that hold it.
        weights: `(h, w)` area of it in each of them.
    """

    window: Window
    weights: NDArray[np.float64]


def log_odds_spread(*, taught: bool) -> float:
    """By how much forecasts of how much changes were off on other places (decision 27).

    Args:
        taught: Whether the region's past tells how much changes.

    Returns:
        The standard deviation of the log odds.
    """
    return _SPREAD_TAUGHT if taught else _SPREAD_ALONE


def changed_areas(
    probabilities: Sequence[NDArray[np.float32]], weights: NDArray[np.float64], spread: float
) -> list[ChangedArea]:
    """How much of a region has changed by each year.

    Bounds are the areas with the log odds of all cells moved by quantiles of what forecasts were
    off by.

    Args:
        probabilities: `(h, w)` that the ground has changed by a year, for each year.
        weights: `(h, w)` from `cell_weights`.
        spread: From `log_odds_spread`.
    """
    by = [spread * quantile for quantile in ndtri(_BOUNDS)]
    found = []
    for probability in probabilities:
        total = np.zeros(1 + len(by))
        for rows in strips(weights.shape):
            chance = probability[rows]
            moved = [chance, *(_moved(chance, odds) for odds in by)]
            total += [(weights[rows] * plane).sum() for plane in moved]
        found.append(ChangedArea(*map(float, total)))
    return found


def zone_areas(
    probabilities: Sequence[NDArray[np.float32]],
    zones: Sequence[Zone],
    objects: NDArray[np.int64],
    parcels: NDArray[np.int64],
    known: NDArray[np.bool_],
    *,
    spread: float,
    seed: int,
    zeros: Zeros = np.zeros,
) -> list[list[ChangedArea]]:
    """How much of each zone has changed by each year.

    Bounds are of many draws of how much changes in the region, as in `changed_areas`, and of where
    it does: a small zone may see all of it or nothing.

    Args:
        probabilities: As in `changed_areas`.
        zones: Of the region; they may overlap.
        objects: From `region_objects`.
        parcels: From `parcels_of`.
        known: `(h, w)` cells that were seen.
        spread: As in `changed_areas`.
        seed: Of the draws.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        By zone, then by year.
    """
    drawn = np.zeros((len(zones), len(probabilities), _DRAWS))
    for draw in range(_DRAWS):
        levels = event_levels(objects, seed=seed, member=draw, zeros=zeros)
        # Quantiles of the normal distribution, each beside another pattern of events.
        by = spread * float(ndtri((draw * _STEP % _DRAWS + 0.5) / _DRAWS))
        changed = zeros(known.shape, np.bool_)
        for year, probability in enumerate(probabilities):
            moved = zeros(known.shape, np.float32)
            for rows in strips(known.shape):
                moved[rows] = _moved(probability[rows], by)
            changed = allocated(moved, levels, parcels, changed, known, zeros=zeros)
            for number, zone in enumerate(zones):
                inside = changed[zone.window.slices]
                drawn[number, year, draw] = zone.weights[inside].sum()
    bounds = np.quantile(drawn, _BOUNDS, axis=-1)
    return [
        [
            ChangedArea(
                float((zone.weights * probability[zone.window.slices]).sum()),
                *map(float, bounds[:, number, year]),
            )
            for year, probability in enumerate(probabilities)
        ]
        for number, zone in enumerate(zones)
    ]


def cell_weights(
    valid: NDArray[np.bool_], row_gsd_m: NDArray[np.float64] | None, *, zeros: Zeros = np.zeros
) -> NDArray[np.float64]:
    """Area of the valid ground in each cell: hectares, or pixels where their size is not known.

    Args:
        valid: `(height, width)` pixels of the region that were seen.
        row_gsd_m: `(height,)` metres per pixel, from `Grid.row_gsd_m`.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)`, the last row and column of which may hold fewer pixels than a cell.
    """
    height, width = (-(-size // CELL) for size in valid.shape)
    weights = zeros((height, width), np.float64)
    for rows in strips((height, CELL * CELL * width)):
        pixels = slice(CELL * rows.start, CELL * rows.stop)
        part = valid[pixels]
        padded = np.zeros((CELL * (rows.stop - rows.start), CELL * width), np.uint8)
        padded[: part.shape[0], : part.shape[1]] = part
        across = padded.reshape(len(padded), width, CELL).sum(axis=2, dtype=np.float64)
        if row_gsd_m is not None:
            across[: len(part)] *= row_gsd_m[pixels, None] ** 2 / _HECTARE_M2
        weights[rows] = across.reshape(-1, CELL, width).sum(axis=1)
    return weights


def _moved(probability: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    """With log odds higher by so much."""
    return np.asarray(expit(logit(probability.astype(np.float64)) + by), np.float32)
