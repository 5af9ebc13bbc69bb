"""Confidence intervals by drawing places again."""

from __future__ import annotations

import zlib

import numpy as np

from forecast.evaluation.scores.statistic import Array
from preprocessing.quality.scores import Estimate

__all__ = ["LEAST_UNITS", "RESAMPLES", "draw_units", "estimate"]

RESAMPLES = 2000
LEAST_UNITS = 5
"""Fewer places or blocks than this say nothing about how places differ: no interval."""

_LEVELS = (0.025, 0.975)
_MOST_UNKNOWN = 0.05


def draw_units(count: int, *, seed: int, name: str, resamples: int = RESAMPLES) -> Array:
    """How often each unit is drawn in each resample (Efron 1979): `(resamples, count)`.

    Args:
        count: Units.
        seed: Of the run.
        name: Of the dataset; each has draws of its own, shared by all its scores, so that
            differences between methods are paired.
        resamples: Resamples.
    """
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return generator.multinomial(count, np.full(count, 1 / count), size=resamples).astype(float)


def estimate(value: float, resampled: Array, units: int) -> Estimate:
    """Percentile interval of a score.

    Args:
        value: The score of all units.
        resampled: `(resamples,)` its values on the resamples; infinite ones count as such.
        units: Units that have pairs with this score, of the dataset that has the fewest.

    Returns:
        Bounds of NaN where there are fewer than five units, or where the score is not known on
        more than 5 % of the resamples.
    """
    known = resampled[~np.isnan(resampled)]
    if units < LEAST_UNITS or known.size < (1 - _MOST_UNKNOWN) * resampled.size or value != value:
        return Estimate(float(value), np.nan, np.nan)
    # No interpolation: between a finite value and infinity there is nothing.
    low, high = np.quantile(known, _LEVELS, method="nearest")
    return Estimate(float(value), float(low), float(high))
