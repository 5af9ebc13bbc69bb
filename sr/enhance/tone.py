"""Brightness, contrast, colour and sharpness by simple rules that never wrap around."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sr.enhance.values import stored_as, unit_values

__all__ = ["adjust_hsv", "brightness_contrast", "sharpen"]

_TURN_DEG = 360.0
_LAPLACIAN = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)


def brightness_contrast(
    image: NDArray[Any], *, gain: float = 2.0, offset: float = 5 / 255
) -> NDArray[Any]:
    """`gain * image + offset`, clipped.

    Args:
        image: `(h, w, 3)`, see `sr.enhance`.
        gain: Contrast; 1 keeps it.
        offset: Brightness that is added, in units of the whole range.

    Raises:
        ValueError: The image or the gain is not usable.
    """
    if gain < 0:
        raise ValueError(f"expected a gain of 0 or more, got {gain}")
    return stored_as(unit_values(image) * gain + offset, image.dtype)


def adjust_hsv(
    image: NDArray[Any], *, hue: float = 0.7, saturation: float = 1.5, value: float = 0.5
) -> NDArray[Any]:
    """Multiply hue angle, saturation and value by factors.

    Every product stops at the end of its range: a saturation that is too high becomes full, not
    faint, and an angle ends at 360 degrees (red).

    Args:
        image: `(h, w, 3)`, see `sr.enhance`.
        hue: Factor on the hue angle of 0..360 degrees from red.
        saturation: Factor on the saturation.
        value: Factor on the value, the largest of red, green and blue.

    Raises:
        ValueError: The image or a factor is not usable.
    """
    if min(hue, saturation, value) < 0:
        raise ValueError(f"expected factors of 0 or more, got {hue}, {saturation}, {value}")
    hsv = cv2.cvtColor(unit_values(image).clip(0, 1), cv2.COLOR_RGB2HSV)
    hsv *= np.array([hue, saturation, value], np.float32)
    hsv = np.minimum(hsv, np.array([_TURN_DEG, 1, 1], np.float32))
    return stored_as(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), image.dtype)


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
