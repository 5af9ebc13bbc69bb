"""Noise removed by the median of a window, or by averaging similar patches."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.restoration import denoise_nl_means

from sr.enhance.values import stored_as, unit_values

__all__ = ["median", "noise_sigma", "non_local_means"]

# Difference of two Laplacians: no answer to smooth ground, only to noise.
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def median(image: NDArray[Any], *, size_px: int = 15) -> NDArray[Any]:
    """Median of a square window, each band by itself; edges are replicated.

    Args:
        image: `(h, w, 3)`, see `sr.enhance`.
        size_px: Side of the window, odd.

    Raises:
        ValueError: The image or the size is not usable.
    """
    if size_px < 1 or size_px % 2 == 0:
        raise ValueError(f"expected an odd window of 1 pixel or more, got {size_px}")
    image = stored_as(unit_values(image), image.dtype)
    if image.dtype == np.uint8 or size_px <= 5:
        return np.asarray(cv2.medianBlur(np.ascontiguousarray(image), size_px))
    # OpenCV takes large windows of 8 bits only.
    return np.asarray(ndimage.median_filter(image, (size_px, size_px, 1), mode="nearest"))


def non_local_means(
    image: NDArray[Any],
    *,
    sigma: float | None = None,
    strength: float = 0.8,
    patch_px: int = 5,
    search_px: int = 13,
) -> NDArray[Any]:
    """Non-local means (Buades et al. 2005), patches compared over all three bands.

    Args:
        image: `(h, w, 3)`, see `sr.enhance`.
        sigma: Standard deviation of the noise in units of the whole range; measured where None.
        strength: Width of the weights over `sigma`.
        patch_px: Side of the patches.
        search_px: Side of the window that is searched for similar ones.

    Raises:
        ValueError: The image or a size is not usable.
    """
    if min(patch_px, search_px) < 1 or strength <= 0 or (sigma is not None and sigma < 0):
        raise ValueError("expected patch_px, search_px of 1 or more, strength > 0, sigma >= 0")
    unit = unit_values(image)
    sigma = noise_sigma(image) if sigma is None else sigma
    if sigma == 0:
        return image.copy()
    quiet = denoise_nl_means(
        unit,
        patch_size=patch_px,
        patch_distance=search_px // 2,
        h=strength * sigma,
        sigma=sigma,
        fast_mode=True,
        channel_axis=2,
    )
    return stored_as(quiet, image.dtype)


def noise_sigma(image: NDArray[Any]) -> float:
    """Standard deviation of white noise in an image, in units of the whole range.

    From the mean absolute answer to a kernel that ignores planes (Immerkaer 1996); fine texture
    counts as noise. An image under 3 x 3 pixels has none.

    Args:
        image: `(h, w, 3)`, see `sr.enhance`.
    """
    answer = cv2.filter2D(unit_values(image), -1, _IMMERKAER)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) * np.abs(answer).mean() / 6) if answer.size else 0.0
