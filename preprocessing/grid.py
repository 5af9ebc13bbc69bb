"""The pixel grid of a raster: shape, affine transform and CRS, without pixels."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

from affine import Affine
from rasterio.crs import CRS

__all__ = ["Bounds", "Grid", "Window"]

_METRES_PER_DEGREE = 111_320.0
_MERCATOR_RADIUS_M = 6_378_137.0


class Bounds(NamedTuple):
    """Axis-aligned extent in CRS units."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels; `row` and `col` may lie outside the raster for padded reads."""

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for arrays whose last two axes are `(h, w)`."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.col, self.col + self.width),
        )


@dataclass(frozen=True, slots=True)
class Grid:
    """Shape, affine transform and CRS; hashable, immutable.

    Attributes:
        height: Rows.
        width: Columns.
        transform: Maps `(col, row)` of pixel corners to CRS coordinates.
        crs: Coordinate reference system, or None for images without georeference.
    """

    height: int
    width: int
    transform: Affine
    crs: CRS | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a grid needs at least one pixel, got {self.height} x {self.width}")

    @property
    def bounds(self) -> Bounds:
        """Axis-aligned bounds of the grid's four corners in CRS units."""
        corners = [
            self.transform @ (col, row) for col in (0, self.width) for row in (0, self.height)
        ]
        xs, ys = [c[0] for c in corners], [c[1] for c in corners]
        return Bounds(min(xs), min(ys), max(xs), max(ys))

    @property
    def gsd_m(self) -> float | None:
        """Ground sample distance in metres (geometric mean of both axes); None without CRS.

        Taken at the middle of the grid for degrees and for Web Mercator, whose metres are longer
        than those on the ground everywhere but on the equator.
        """
        if self.crs is None:
            return None
        t = self.transform
        step = math.sqrt(abs(t.a * t.e - t.b * t.d))
        if self.crs.is_geographic:
            bounds = self.bounds
            latitude = math.radians((bounds.south + bounds.north) / 2)
            return step * _METRES_PER_DEGREE * math.sqrt(max(math.cos(latitude), 1e-6))
        metres = step * float(self.crs.linear_units_factor[1])
        if _is_web_mercator(self.crs):
            middle = (self.bounds.south + self.bounds.north) / 2
            metres /= math.cosh(middle / _MERCATOR_RADIUS_M)
        return metres

    def crop(self, window: Window) -> Grid:
        """Grid of a pixel window, which may reach beyond this grid."""
        moved = self.transform @ Affine.translation(window.col, window.row)
        return Grid(window.height, window.width, moved, self.crs)

    def scaled(self, factor: float) -> Grid:
        """Grid of the same ground with `factor` times as many pixels along each axis."""
        return Grid(
            max(1, round(self.height * factor)),
            max(1, round(self.width * factor)),
            self.transform @ Affine.scale(1 / factor),
            self.crs,
        )

    def same_as(self, other: Grid, *, tolerance_px: float = 1e-3) -> bool:
        """Whether shape and CRS are equal and transforms agree within `tolerance_px`."""
        if (self.height, self.width) != (other.height, other.width) or self.crs != other.crs:
            return False
        for col, row in ((0, 0), (self.width, self.height)):
            there = ~self.transform @ (other.transform @ (col, row))
            if abs(there[0] - col) > tolerance_px or abs(there[1] - row) > tolerance_px:
                return False
        return True


@functools.lru_cache(maxsize=64)
def _is_web_mercator(crs: CRS) -> bool:
    return bool(crs.to_epsg() == 3857)
