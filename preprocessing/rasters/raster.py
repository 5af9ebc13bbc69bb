"""Pixels that never travel without their grid, validity, date and encoding."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.rasters.grid import Grid, Window

__all__ = ["Encoding", "Raster"]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How unit values (0..1 over the stated range) are stored in a file.

    Attributes:
        dtype: NumPy name of the stored type, e.g. `uint8`.
        low: Stored value that means 0.
        high: Stored value that means 1.
        nodata: Stored value of invalid pixels, or None.
        masked: Whether invalid pixels are told by a mask or alpha band rather than `nodata`.
    """

    dtype: str = "uint8"
    low: float = 0.0
    high: float = 255.0
    nodata: float | None = None
    masked: bool = False

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise ValueError(f"value range needs low < high, got {self.low}..{self.high}")

    def decode(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Stored values to unit values, not clipped."""
        unit: NDArray[np.float32] = stored.astype(np.float32)
        unit -= np.float32(self.low)
        unit /= np.float32(self.high - self.low)
        return unit

    def encode(self, unit: NDArray[Any]) -> NDArray[Any]:
        """Unit values to stored values: scaled, rounded, kept off `nodata`, clipped to the type.

        Args:
            unit: `(c, h, w)`, 0..1 over the value range; values outside are kept if the type can.
        """
        dtype = np.dtype(self.dtype)
        values = unit.astype(np.float64) * (self.high - self.low) + self.low
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            values = np.clip(np.rint(values), info.min, info.max)
            if self.nodata is not None and info.min <= self.nodata <= info.max:
                inward = 1.0 if self.nodata <= (self.low + self.high) / 2 else -1.0
                values[values == self.nodata] += inward
        stored = values.astype(dtype)
        if dtype.kind == "f" and self.nodata is not None:
            stored[stored == dtype.type(self.nodata)] = np.nextafter(
                dtype.type(self.nodata), dtype.type(np.inf)
            )
        return stored


@dataclass(frozen=True)
class Raster:
    """A dated image on a grid.

    Attributes:
        data: `(c, h, w)` float32, 0..1 over the encoding's value range (may exceed it).
            Invalid pixels are finite.
        grid: The pixel grid.
        valid: `(h, w)` bool; False where there is no observation.
        encoding: How the values are stored on disk.
        date: Acquisition date, or None; the first of January where only the year is known.
        name: What to call it in messages, usually the file name.
    """

    data: NDArray[np.float32]
    grid: Grid
    valid: NDArray[np.bool_]
    encoding: Encoding = Encoding()
    date: dt.date | None = None
    name: str = "raster"

    def __post_init__(self) -> None:
        shape = self.grid.shape
        if self.data.ndim != 3 or self.data.shape[1:] != shape or self.valid.shape != shape:
            raise ValueError(
                f"{self.name}: expected data (c, {shape[0]}, {shape[1]}) and valid {shape}, "
                f"got {self.data.shape} and {self.valid.shape}"
            )

    @property
    def year(self) -> int | None:
        """Calendar year of `date`."""
        return None if self.date is None else self.date.year

    def crop(self, window: Window) -> Raster:
        """The part inside `window`, which must lie within the raster."""
        rows, cols = window.slices
        return replace(
            self,
            data=self.data[:, rows, cols],
            valid=self.valid[rows, cols],
            grid=self.grid.crop(window),
        )
