"""Pieces of land that change as a whole, and the choice of those that change next."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.landform.fractal import fractal_noise

__all__ = ["Units", "cells_of", "rectangles", "turned"]

_JITTER = 0.45


class Units:
    """A division of the map.

    Attributes:
        label: `(h, w)` int32 piece of each pixel, `0..count-1`.
        count: Number of pieces.
        size: `(count,)` pixels of each.
    """

    def __init__(self, key: NDArray[Any]) -> None:
        low = np.asarray(key, dtype=np.int64)
        self.label = np.unique(low, return_inverse=True)[1].reshape(key.shape).astype(np.int32)
        self._flat = self.label.ravel()
        self.size = np.bincount(self._flat)
        self.count = len(self.size)
        row, col = np.indices(key.shape)
        self.x, self.y = self.mean(np.asarray(col)), self.mean(np.asarray(row))
        self._at = (np.rint(self.y).astype(int), np.rint(self.x).astype(int))

    def mean(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """`(count,)` mean of `(h, w)` values over each piece."""
        total = np.bincount(self._flat, np.asarray(values, np.float64).ravel(), self.count)
        return np.asarray(total / self.size)

    def at(self, values: NDArray[Any]) -> NDArray[Any]:
        """`(count,)` values at the middle of each piece."""
        return np.asarray(values[self._at])

    def where(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """`(h, w)` bool, the ground of the chosen pieces."""
        table = np.zeros(self.count, dtype=bool)
        table[chosen] = True
        return np.asarray(table[self.label])

    def best(
        self, score: NDArray[np.float64], room: NDArray[np.float64], budget_px: float
    ) -> tuple[NDArray[np.int64], float]:
        """The pieces that change: by falling score until the budget is spent.

        Args:
            score: `(count,)`, -inf for pieces that must not change.
            room: `(count,)` part of each piece that would change.
            budget_px: Pixels to change; what earlier years left over included.

        Returns:
            Numbers of the pieces, and the pixels left over (negative: overspent).
        """
        order = np.argsort(-score, kind="stable")
        order = order[np.isfinite(score[order])]
        area = np.cumsum(self.size[order] * room[order])
        # A piece is taken if most of it is paid for.
        half = area - 0.5 * self.size[order] * room[order]
        chosen = order[: int(np.searchsorted(half, budget_px))]
        spent = float(area[len(chosen) - 1]) if len(chosen) else 0.0
        return chosen, budget_px - spent if len(order) else 0.0


def turned(
    shape: tuple[int, int],
    angle: float,
    *,
    rng: np.random.Generator | None = None,
    bend_px: float = 0.0,
    wave_px: float = 100.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates `(h, w)` in pixels along and across a direction, bent by smooth noise."""
    row, col = np.indices(shape, dtype=np.float32)
    if rng is not None and bend_px > 0:
        wave = {"slope": 2.4, "largest_px": wave_px, "smallest_px": wave_px / 8}
        col = col + np.float32(bend_px) * fractal_noise(shape, rng, **wave)
        row = row + np.float32(bend_px) * fractal_noise(shape, rng, **wave)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return col * cos + row * sin, row * cos - col * sin


def rectangles(
    along: NDArray[np.float32],
    across: NDArray[np.float32],
    *,
    length: float,
    width: float,
    staggered: bool = True,
) -> NDArray[np.int64]:
    """Keys `(h, w)` of rectangles; every strip begins elsewhere if staggered."""
    strip = np.floor(across / width).astype(np.int64)
    shift = (strip * 0.618034) % 1.0 if staggered else 0.0
    piece = np.floor(along / length + shift).astype(np.int64)
    return np.asarray((strip + 40_000) * 100_000 + piece + 40_000)


def cells_of(shape: tuple[int, int], size_px: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """Numbers `(h, w)` of the nearest of jittered grid points `size_px` apart."""
    pad = int(size_px)
    rows, cols = shape[0] + 2 * pad, shape[1] + 2 * pad
    y, x = np.mgrid[0.5 : rows / size_px, 0.5 : cols / size_px]
    points = np.stack([x, y], -1).reshape(-1, 2)
    points = (points + rng.uniform(-_JITTER, _JITTER, points.shape)) * size_px
    col, row = np.clip(np.rint(points).astype(int), 0, (cols - 1, rows - 1)).T
    canvas = np.full((rows, cols), 255, dtype=np.uint8)
    canvas[row, col] = 0
    _, label = cv2.distanceTransformWithLabels(
        canvas, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return np.asarray(label[pad : pad + shape[0], pad : pad + shape[1]], dtype=np.int32)
