"""Pixels without an observation, given the value of the nearest one that has."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

__all__ = ["fill_invalid"]

Pixels = TypeVar("Pixels", bound=NDArray[Any])


def fill_invalid(data: Pixels, valid: NDArray[np.bool_]) -> Pixels:
    """Give invalid pixels of `(c, h, w)` the value of the nearest valid one.

    Args:
        data: `(c, h, w)` of any type.
        valid: `(h, w)`; at least one pixel is True.
    """
    if valid.all():
        return data
    nearest = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    return cast(Pixels, data[:, nearest[0], nearest[1]])
