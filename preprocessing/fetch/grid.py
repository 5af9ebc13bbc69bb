"""The one pixel grid all years of a place share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import geometry_mask
from rasterio.warp import transform_bounds, transform_geom

from preprocessing.errors import RequestError
from preprocessing.rasters.grid import Bounds, Grid

__all__ = ["bounds_in_degrees", "footprint_mask", "target_grid"]

_WGS84 = CRS.from_epsg(4326)
_MAX_SIDE = 100_000


def target_grid(
    bbox: Bounds, *, gsd_m: float, pixel_centre_grid: bool = False, northern_zones: bool = False
) -> Grid:
    """North-up UTM grid that covers a box in degrees.

    It follows from the arguments alone, so that every year and every later run has the same. The
    zone is that of the middle of the box.

    Args:
        bbox: West, south, east, north in degrees.
        gsd_m: Metres per pixel. Edges lie on its multiples, where the pixels of Sentinel-2 lie.
        pixel_centre_grid: Centres lie there instead, as those of Landsat do.
        northern_zones: Use the zone's northern half in the south, as Landsat does.

    Raises:
        RequestError: The grid would have more than 100,000 pixels a side.
    """
    zone = min(int(((bbox.west + bbox.east) / 2 + 180) // 6) + 1, 60)
    south = bbox.south + bbox.north < 0 and not northern_zones
    crs = CRS.from_epsg((32700 if south else 32600) + zone)
    west, low, east, high = transform_bounds(_WGS84, crs, *bbox, densify_pts=21)
    shift = 0.5 if pixel_centre_grid else 0.0
    # A hundredth of a pixel of rounding must not add a row.
    left, top = math.floor(west / gsd_m - shift + 0.01), math.ceil(high / gsd_m - shift - 0.01)
    right, bottom = math.ceil(east / gsd_m - shift - 0.01), math.floor(low / gsd_m - shift + 0.01)
    width, height = max(right - left, 1), max(top - bottom, 1)
    if max(width, height) > _MAX_SIDE:
        raise RequestError(
            f"expected at most {_MAX_SIDE} pixels a side, got {width} x {height} of {gsd_m:g} m; "
            "choose a smaller --bbox or a coarser --gsd"
        )
    transform = Affine(gsd_m, 0, (left + shift) * gsd_m, 0, -gsd_m, (top + shift) * gsd_m)
    return Grid(height, width, transform, crs)


def bounds_in_degrees(grid: Grid) -> Bounds:
    """Box in degrees around a UTM grid; cut at the antimeridian where it reaches across."""
    west, south, east, north = transform_bounds(grid.crs, _WGS84, *grid.bounds, densify_pts=21)
    if west > east:
        # What is asked for lies on one side: only the rim of the grid reaches across.
        west, east = (west, 180.0) if 180 - west > east + 180 else (-180.0, east)
    return Bounds(west, south, east, north)


def footprint_mask(footprint: Mapping[str, Any], grid: Grid) -> NDArray[np.bool_]:
    """Pixels `(h, w)` of a grid inside a GeoJSON geometry in degrees."""
    inside = geometry_mask(
        [transform_geom(_WGS84, grid.crs, dict(footprint))],
        grid.shape,
        grid.transform,
        invert=True,
    )
    return np.asarray(inside, dtype=bool)
