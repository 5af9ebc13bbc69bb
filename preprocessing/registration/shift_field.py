"""A smooth field of shifts over a region, known on a coarse lattice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from preprocessing.rasters.window import Window

__all__ = ["ShiftField"]


@dataclass(frozen=True)
class ShiftField:
    """Shifts on a lattice, joined by bicubic splines.

    Attributes:
        rows: `(n,)` pixel rows of the lattice, increasing, n >= 4; 0 is the middle of the first.
        cols: `(m,)` pixel columns, likewise.
        dy_px: `(n, m)` rows by which the pixels there must go down.
        dx_px: `(n, m)` columns by which they must go right.
    """

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    dy_px: NDArray[np.float64]
    dx_px: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = (len(self.rows), len(self.cols))
        if min(shape) < 4 or self.dy_px.shape != shape or self.dx_px.shape != shape:
            raise ValueError(
                f"expected a lattice of at least 4 x 4 shifts, got rows and columns {shape} and "
                f"shifts {self.dy_px.shape} and {self.dx_px.shape}"
            )

    def at(self, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The shift `(dy, dx)` of each pixel of a window, each `(h, w)`.

        Beyond the lattice the values of its rim hold on.
        """
        rows = np.clip(np.arange(window.row, window.row + window.height), *self._ends(self.rows))
        cols = np.clip(np.arange(window.col, window.col + window.width), *self._ends(self.cols))
        dy, dx = (
            RectBivariateSpline(self.rows, self.cols, values, s=0)(rows, cols)
            for values in (self.dy_px, self.dx_px)
        )
        return dy, dx

    def __add__(self, other: ShiftField) -> ShiftField:
        """Both fields one after the other, to first order; on the same lattice."""
        return ShiftField(self.rows, self.cols, self.dy_px + other.dy_px, self.dx_px + other.dx_px)

    @property
    def longest_px(self) -> float:
        """Length of the longest shift on the lattice."""
        return float(np.hypot(self.dy_px, self.dx_px).max())

    @staticmethod
    def _ends(positions: NDArray[np.float64]) -> tuple[float, float]:
        return float(positions[0]), float(positions[-1])
