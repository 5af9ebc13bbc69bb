"""From stored values to 0..1 and back, so that every method computes in real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["stored_as", "unit_values"]

_HIGHEST = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.float32): 1}


def unit_values(image: NDArray[Any]) -> NDArray[np.float32]:
    """Values over the range of their type: `(h, w, 3)` float32, 0..1.

    Raises:
        ValueError: Another shape or type, or values that are not finite.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"expected an image of shape (h, w, 3), got {image.shape}")
    if image.dtype not in _HIGHEST:
        raise ValueError(f"expected uint8, uint16 or float32 in 0..1, got {image.dtype}")
    if image.dtype == np.float32 and not np.isfinite(image).all():
        raise ValueError("expected finite values, got NaN or infinity; fill gaps before")
    return np.asarray(image, np.float32) / np.float32(_HIGHEST[image.dtype])


def stored_as(unit: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values of 0..1 as `dtype` (see `unit_values`): clipped, and rounded for integers."""
    clipped = np.clip(unit, 0, 1)
    if dtype.kind == "f":
        return np.asarray(clipped, dtype)
    return np.asarray(np.rint(clipped.astype(np.float64) * _HIGHEST[dtype]), dtype)
