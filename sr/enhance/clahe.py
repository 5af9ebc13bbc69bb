"""Contrast-limited adaptive histogram equalisation of the lightness, in real numbers."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from sr.enhance.values import stored_as, unit_values

__all__ = ["clahe", "equalised"]

_BINS = 256
_LIGHTEST = 100.0  # Of L* in CIELAB.


def clahe(image: NDArray[Any], *, clip_limit: float = 2.0, tiles: int = 8) -> NDArray[Any]:
    """CLAHE (Zuiderveld 1994) of L* in CIELAB; colours stay.

    OpenCV, kornia and scikit-image either give 256 levels or, with 16 bits, mean another thing by
    the limit. Here the tile's curves are interpolated between levels too.

    Args:
        image: `(h, w, 3)`, see `sr.enhance`.
        clip_limit: Most that a level may count, over the mean of all levels; the slope of the
            curves is at most about this.
        tiles: Tiles along each side, fewer where they would be under 8 pixels.

    Raises:
        ValueError: The image, the limit or the tiles are not usable.
    """
    lab = cv2.cvtColor(unit_values(image).clip(0, 1), cv2.COLOR_RGB2LAB)
    light = np.asarray(lab[..., 0] / _LIGHTEST, np.float32)
    lab[..., 0] = _LIGHTEST * equalised(light, clip_limit=clip_limit, tiles=tiles)
    return stored_as(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), image.dtype)


def equalised(
    plane: NDArray[np.float32], *, clip_limit: float = 2.0, tiles: int = 8
) -> NDArray[np.float32]:
    """CLAHE of one plane `(h, w)` of 0..1; see `clahe`."""
    if clip_limit < 1 or tiles < 1:
        raise ValueError(f"expected clip_limit, tiles of 1 or more, got {clip_limit}, {tiles}")
    height, width = plane.shape
    rows, cols = (max(1, min(tiles, side // 8)) for side in (height, width))
    curves = np.stack(
        [
            np.stack([_curve(tile, clip_limit) for tile in np.array_split(band, cols, axis=1)])
            for band in np.array_split(plane, rows, axis=0)
        ]
    )
    # A table of tile row, tile column and level, read with trilinear interpolation.
    y = (np.arange(height, dtype=np.float32) + 0.5) * rows / height - 0.5
    x = (np.arange(width, dtype=np.float32) + 0.5) * cols / width - 0.5
    level = plane.clip(0, 1) * _BINS
    places = np.stack(np.broadcast_arrays(y[:, None], x[None, :], level))
    return np.asarray(
        map_coordinates(curves, places, order=1, mode="nearest", prefilter=False), np.float32
    )


def _curve(tile: NDArray[np.float32], clip_limit: float) -> NDArray[np.float32]:
    """Share of a tile below each of 257 levels, of its clipped histogram."""
    counts = np.histogram(tile, bins=_BINS, range=(0, 1))[0] / tile.size
    clipped = np.minimum(counts, clip_limit / _BINS)
    clipped += (1 - clipped.sum()) / _BINS
    return np.concatenate([[0.0], np.cumsum(clipped)]).astype(np.float32)
