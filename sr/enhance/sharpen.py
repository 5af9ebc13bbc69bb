"""Sharpening by a 3x3 kernel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sr.enhance.values import stored_as, unit_values

__all__ = ["sharpen"]

_LAPLACIAN = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)


def sharpen(image: NDArray[Any], *, amount: float = 1.0) -> NDArray[Any]:
    """Add `amount` times the difference of each pixel from its four neighbours.

    With an amount of 1 this is the usual kernel of 5 in the middle and -1 beside it. Edges are
    mirrored.

    Args:
        image: `(h, w, 3)`, see `sr.enhance`.
        amount: 0 keeps the image.

    Raises:
        ValueError: The image or the amount is not usable.
    """
    if amount < 0:
        raise ValueError(f"expected an amount of 0 or more, got {amount}")
    kernel = amount * _LAPLACIAN
    kernel[1, 1] += 1
    sharp = cv2.filter2D(unit_values(image), -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    return stored_as(sharp, image.dtype)
