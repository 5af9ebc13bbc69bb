"""Lasting change by rule: ground that looks in no later image as it did in any earlier one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["changed_lastingly"]

_LEVEL = 20.0


def changed_lastingly(
    before: NDArray[np.float32],
    before_seen: NDArray[np.bool_],
    after: NDArray[np.float32],
    after_seen: NDArray[np.bool_],
    *,
    least_dates: int = 2,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cells whose every pair of an earlier and a later look differs by more than 20 grey levels.

    Args:
        before: `(b, 3, h, w)` means over cells in the colours of one date.
        before_seen: `(b, h, w)`.
        after: `(a, 3, h, w)` likewise.
        after_seen: `(a, h, w)`.
        least_dates: Dates on either side without which it is not known.

    Returns:
        `(h, w)` where the ground changed, and where that is known.
    """
    least = np.full(before.shape[-2:], np.inf)
    for cells, seen in zip(after, after_seen, strict=True):
        for other, other_seen in zip(before, before_seen, strict=True):
            apart = np.sqrt(((cells - other) ** 2).mean(axis=0))
            np.minimum(least, np.where(seen & other_seen, apart, np.inf), out=least)
    known = (before_seen.sum(axis=0) >= least_dates) & (after_seen.sum(axis=0) >= least_dates)
    return known & (least > _LEVEL), known
