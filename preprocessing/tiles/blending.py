"""Overlapping tiles into one image: weighted sums and weights, divided once at the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros

__all__ = ["Blend", "tile_weight"]

_ROWS = 64
"""That are divided at once."""


def tile_weight(size: int, overlap: int) -> NDArray[np.float32]:
    """Weight of a tile `(size, size)`: 1 inside, a raised-cosine ramp over `overlap` at the rim.

    The ramp never reaches zero, so a pixel that only one tile covers is still defined.
    """
    profile = np.ones(size, dtype=np.float64)
    if overlap > 0:
        ramp = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / overlap) ** 2
        profile[:overlap] = ramp
        profile[size - overlap :] = np.minimum(profile[size - overlap :], ramp[::-1])
    return np.outer(profile, profile).astype(np.float32)


class Blend:
    """Accumulates `(weighted sum, weight)` of tiles; the order of tiles does not matter.

    Args:
        channels: Channels of the image.
        height: Rows.
        width: Columns.
        zeros: Makes planes, on the disk where they are large.
    """

    def __init__(self, channels: int, height: int, width: int, *, zeros: Zeros = np.zeros) -> None:
        self._sum = zeros((channels, height, width), np.float64)
        self._weight = zeros((height, width), np.float64)
        self._zeros = zeros

    def add(self, window: Window, tile: NDArray[np.float32], weight: NDArray[np.float32]) -> None:
        """Add a tile `(channels, h, w)` with weights `(h, w)` at a window inside the image."""
        rows, cols = window.slices
        self._sum[:, rows, cols] += tile * weight.astype(np.float64)
        self._weight[rows, cols] += weight

    def image(self, *, partly: bool = False) -> NDArray[np.float32]:
        """The blended image `(channels, height, width)`.

        Args:
            partly: Pixels that no tile covers are 0.

        Raises:
            ValueError: A pixel was covered by no tile.
        """
        blended = self._zeros(self._sum.shape, np.float32)
        missing = 0
        for top in range(0, self._weight.shape[0], _ROWS):
            rows = slice(top, top + _ROWS)
            covered = self._weight[rows] > 0
            missing += int(np.count_nonzero(~covered))
            blended[:, rows] = self._sum[:, rows] / np.where(covered, self._weight[rows], 1)
        if missing and not partly:
            raise ValueError(f"expected tiles over every pixel, {missing} pixels have none")
        return blended
