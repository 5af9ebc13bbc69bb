"""What of a year's change lasts, and what is of that year alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["lasting"]

_LEVEL = 3 / 255
_ORDER = 4


def lasting(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """The part of a change that the years after it go on from.

    A member also moves ground that does not change, by a few grey levels, as light and season do.
    Were such fluctuations carried along, they would add up year by year to a drift of colour and
    wear down detail. A change is kept in the share `1 - exp(-(a / a0) ** 4)` of its mean absolute
    value over the bands, `a0` being 3 of 255 grey levels: nearly all of it above 4.

    Args:
        difference: `(c, h, w)` in units of 0..1.
    """
    amount = np.abs(difference).mean(axis=0, keepdims=True) / np.float32(_LEVEL)
    return np.asarray(difference * (1 - np.exp(-(amount**_ORDER))), dtype=np.float32)
