"""The area under the ROC curve, by ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["area_under_curve"]

_LEAST_CELLS = 5


def area_under_curve(event: NDArray[np.bool_], score: NDArray[np.floating[Any]]) -> float | None:
    """Chance that a cell of change has a higher score than one without (ties half).

    Area under the ROC curve by ranks (Mann and Whitney 1947). None with fewer than five cells of
    either kind.
    """
    with_change, without = int(event.sum()), int((~event).sum())
    if min(with_change, without) < _LEAST_CELLS:
        return None
    from scipy.stats import rankdata  # Takes long to load: what begins need not wait.

    ranks = rankdata(score.ravel())[event.ravel()].sum()
    return float((ranks - with_change * (with_change + 1) / 2) / (with_change * without))
