"""Classes of horizons: scores and residuals are kept apart by how far ahead a forecast looks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["HORIZON_EDGES", "HORIZON_NAMES", "horizon_class"]

HORIZON_EDGES = (1.5, 2.5, 4.5, 8.5, 16.5, math.inf)
"""Upper bounds in years, one a class."""

HORIZON_NAMES = ("1", "2", "3-4", "5-8", "9-16", ">16")
"""What the classes are called, in years."""


def horizon_class(years: ArrayLike) -> NDArray[np.intp]:
    """Number of the class of each horizon in years, 0 to 5; a horizon on an edge is below it."""
    return np.asarray(np.searchsorted(HORIZON_EDGES, np.asarray(years)))
