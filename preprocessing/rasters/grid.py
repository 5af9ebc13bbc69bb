"""The pixel grid of a raster: shape, affine transform and CRS, without pixels."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio import warp
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

from preprocessing.rasters.window import Window

__all__ = ["PROJECTION_ERRORS", "Bounds", "Grid", "Window", "inside", "middle_longitude"]
__all__ += ["pixel_positions", "whole"]

PROJECTION_ERRORS = (RasterioError, CPLE_BaseError)
"""What rasterio raises where one coordinate system cannot be expressed in another."""

_METRES_PER_DEGREE = 111_320.0
_EQUATOR_M = 6_378_137.0
_ECCENTRICITY_2 = 0.006_694_379_990_14
_SAME_SCALE = 0.005
_WGS84 = CRS.from_epsg(4326)


class Bounds(NamedTuple):
    """Axis-aligned extent in CRS units."""

    west: float
    south: float
    east: float
    north: float


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
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as arrays have them."""
        return (self.height, self.width)

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

        The metres on the ground at the middle of the grid, from the projection itself: those of
        Web Mercator, for instance, are longer than the ground's everywhere but on the equator. A
        scale within half a percent of 1 (UTM, national grids) counts as 1. Of a CRS that is not
        tied to the Earth, the metres are those of its unit.
        """
        return None if self.crs is None else _gsd_m(self)

    def row_gsd_m(self) -> NDArray[np.float64] | None:
        """Ground sample distance in metres of each row, at its middle; None without CRS.

        Of degrees and of Web Mercator it changes from row to row. Where it stays within half a
        percent of `gsd_m` it is that in all rows.
        """
        whole = self.gsd_m
        if whole is None:
            return None
        found = _on_the_ground(self, np.arange(self.height, dtype=np.float64) + 0.5)
        if found is None or np.abs(found / whole - 1).max() <= _SAME_SCALE:
            return np.full(self.height, whole)
        return found

    def lon_lat(
        self, points: Sequence[tuple[float, float]]
    ) -> tuple[list[float], list[float]] | None:
        """Longitudes and latitudes (WGS84) of points `(col, row)`; None off the Earth."""
        if self.crs is None:
            return None
        xs, ys = zip(*(self.transform @ point for point in points), strict=True)
        try:
            lons, lats = warp.transform(self.crs, _WGS84, xs, ys)
        except PROJECTION_ERRORS:
            return None
        if not all(map(math.isfinite, (*lons, *lats))) or max(map(abs, lats)) > 90 + 1e-9:
            return None
        return lons, lats

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


def whole(grid: Grid) -> Window:
    """The window of all pixels."""
    return Window(0, 0, grid.height, grid.width)


def inside(window: Window, grid: Grid) -> Window | None:
    """The part of a window that lies on the grid, or None."""
    top, left = max(window.row, 0), max(window.col, 0)
    bottom = min(window.row + window.height, grid.height)
    right = min(window.col + window.width, grid.width)
    if bottom <= top or right <= left:
        return None
    return Window(top, left, bottom - top, right - left)


def pixel_positions(
    grid: Grid, rows: NDArray[np.float64], cols: NDArray[np.float64], other: Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns of `other` at which points of `grid` lie; not finite where undefined.

    Longitudes are taken on the turn nearest to the middle of `other`, so that images on both
    sides of the antimeridian meet.

    Args:
        grid: Grid of the points.
        rows: Rows, counted from the upper edge of the first; any shape.
        cols: Columns, likewise.
        other: Grid to express them in.
    """
    xs, ys = _map(grid.transform, cols, rows)
    if other.crs != grid.crs:
        shape = xs.shape
        try:
            there = warp.transform(grid.crs, other.crs, xs.ravel().tolist(), ys.ravel().tolist())
        except PROJECTION_ERRORS:  # No point can be expressed there.
            nowhere = np.full(shape, np.inf)
            return nowhere, nowhere
        xs, ys = (np.asarray(values).reshape(shape) for values in there[:2])
    if other.crs is not None and other.crs.is_geographic:
        xs = xs - 360 * np.round((xs - middle_longitude(other)) / 360)
    there_cols, there_rows = _map(~other.transform, xs, ys)
    return there_rows, there_cols


def middle_longitude(grid: Grid) -> float:
    """Longitude of the middle of a grid in degrees."""
    bounds = grid.bounds
    return (bounds.west + bounds.east) / 2


def _map(
    affine: Affine, cols: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Apply an affine transform to many points."""
    return (
        affine.a * cols + affine.b * rows + affine.c,
        affine.d * cols + affine.e * rows + affine.f,
    )


@functools.lru_cache(maxsize=256)
def _gsd_m(grid: Grid) -> float | None:
    crs, t = grid.crs, grid.transform
    assert crs is not None
    middle = _on_the_ground(grid, np.array([grid.height / 2], np.float64))
    ground = None if middle is None else float(middle[0])
    if crs.is_geographic:
        if ground is not None:
            return ground
        bounds = grid.bounds
        latitude = math.radians((bounds.south + bounds.north) / 2)
        step = math.sqrt(abs(t.a * t.e - t.b * t.d))
        return step * _METRES_PER_DEGREE * math.sqrt(max(math.cos(latitude), 1e-6))
    try:
        unit_m = float(crs.units_factor[1])
    except CRSError:
        return ground
    stated = math.sqrt(abs(t.a * t.e - t.b * t.d)) * unit_m
    if ground is None or abs(ground / stated - 1) <= _SAME_SCALE:
        return stated
    return ground


def _on_the_ground(grid: Grid, rows: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Root of the area of the middle pixel of rows on the WGS84 ellipsoid; None off the Earth."""
    x = grid.width / 2
    steps = ((x, 0), (x + 1, 0), (x, 1))
    places = grid.lon_lat([(col, row + down) for col, down in steps for row in rows.tolist()])
    if places is None:
        return None
    lons, lats = (np.reshape(values, (3, len(rows))) for values in places)
    sine = np.sin(np.radians(lats[0]))
    bent = 1 - _ECCENTRICITY_2 * sine**2
    north = _EQUATOR_M * (1 - _ECCENTRICITY_2) / bent**1.5
    east = _EQUATOR_M / np.sqrt(bent) * np.cos(np.radians(lats[0])).clip(1e-6)
    turn = np.radians((lons[1:] - lons[0] + 180) % 360 - 180) * east
    up = np.radians(lats[1:] - lats[0]) * north
    area = np.abs(turn[0] * up[1] - turn[1] * up[0])
    return np.sqrt(area) if (area > 0).all() else None
