"""The plain rule: ground has changed where it looks in no later image as in any earlier one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["changed_lastingly", "smallest_difference"]

LEVEL = 20.0
"""Grey levels of 255 beyond which two looks differ."""


def smallest_difference(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    before_valid: NDArray[np.bool_] | None = None,
    after_valid: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """The smallest difference of each cell over all pairs of a date before and a date after.

    What swings with season and harvest returns in some pair; what is built, dug, felled or flooded
    does not.

    Args:
        before: `(b, 3, h, w)` cell means in grey levels, all in the colours of the last of them
            (`preprocessing.radiometry.colour_transform`).
        after: `(a, 3, h, w)`, in the same colours.
        before_valid: `(b, h, w)` cells that each date shows. Default: all.
        after_valid: `(a, h, w)`.

    Returns:
        `(h, w)` root mean squares over bands, in grey levels; NaN where no pair is valid.
    """
    smallest = np.full(before.shape[-2:], np.inf, np.float32)
    for b, earlier in enumerate(before):
        for a, later in enumerate(after):
            difference = np.sqrt(((later - earlier) ** 2).mean(axis=0))
            if before_valid is not None:
                difference = np.where(before_valid[b], difference, np.inf)
            if after_valid is not None:
                difference = np.where(after_valid[a], difference, np.inf)
            smallest = np.minimum(smallest, difference)
    return np.where(np.isfinite(smallest), smallest, np.nan).astype(np.float32)


def changed_lastingly(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    before_valid: NDArray[np.bool_] | None = None,
    after_valid: NDArray[np.bool_] | None = None,
    *,
    level: float = LEVEL,
) -> NDArray[np.bool_]:
    """Cells whose `smallest_difference` is above `level`; False where it is unknown.

    Args:
        before: `(b, 3, h, w)` as in `smallest_difference`.
        after: `(a, 3, h, w)`.
        before_valid: `(b, h, w)`.
        after_valid: `(a, h, w)`.
        level: Grey levels of 255.

    Returns:
        `(h, w)` bool.
    """
    difference = smallest_difference(before, after, before_valid, after_valid)
    return np.asarray(difference > level)
