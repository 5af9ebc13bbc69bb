"""Distances on fine pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["distance_to", "widened"]


def distance_to(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels to the nearest True pixel of `mask` `(h, w)`; `h + w` where there is none."""
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    # OpenCV gives the largest float where the mask is empty.
    return np.asarray(np.minimum(distance, np.float32(sum(mask.shape))), dtype=np.float32)


def widened(mask: NDArray[np.bool_], reach_px: float) -> NDArray[np.bool_]:
    """`mask` with all pixels within `reach_px` of it."""
    return np.asarray(distance_to(mask) <= reach_px) if mask.any() else mask.copy()
