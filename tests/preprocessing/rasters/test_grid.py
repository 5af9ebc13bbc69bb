from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from rasterio.crs import CRS
from rasterio.warp import transform, transform_bounds
from shapely import Polygon, segmentize
from written_rasters import same_grid

from preprocessing.rasters.grid import Grid, Window

EARTH_M = 6_371_009.0


def ground_m(grid: Grid) -> float:
    """Root of the area of the middle pixel on a sphere: the oracle of `gsd_m`."""
    corners = [(grid.width / 2 + i, grid.height / 2 + j) for i, j in ((0, 0), (1, 0), (0, 1))]
    xs, ys = zip(*(grid.transform @ corner for corner in corners), strict=True)
    lon, lat = transform(grid.crs, CRS.from_epsg(4326), xs, ys)
    lon, lat = np.unwrap(np.radians(lon)), np.radians(lat)
    east, north = (lon - lon[0]) * np.cos(lat[0]) * EARTH_M, (lat - lat[0]) * EARTH_M
    return float(np.sqrt(abs(east[1] * north[2] - east[2] * north[1])))


@pytest.mark.parametrize(
    ("epsg", "transform_"),
    [
        (32632, Affine(10, 0, 500_000, 0, -10, 5_000_000)),
        (32632, Affine(10, 0, 500_000, 0, 10, 5_000_000)),
        (32632, Affine(8, 6, 500_000, 6, -8, 5_000_000)),
        (2263, Affine(30, 0, 980_000, 0, -30, 200_000)),
        (3857, Affine(20, 0, 1_000_000, 0, -20, 8_400_000)),
        (3857, Affine(20, 0, -1_000_000, 0, -20, -5_000_000)),
        (4326, Affine(1e-4, 0, 8, 0, -1e-4, 52)),
        (4326, Affine(1e-3, 0, 179.95, 0, -1e-3, -17)),
    ],
)
def test_ground_sample_distance(epsg: int, transform_: Affine) -> None:
    grid = Grid(100, 120, transform_, CRS.from_epsg(epsg))
    # A sphere for an ellipsoid is off by up to 0.7 %.
    assert grid.gsd_m == pytest.approx(ground_m(grid), rel=0.01)


def test_no_crs_no_metres() -> None:
    assert Grid(4, 4, Affine.identity()).gsd_m is None


@settings(max_examples=50)
@given(
    degrees=st.floats(-180, 180),
    flip=st.sampled_from([1, -1]),
    row=st.integers(-50, 50),
    col=st.integers(-50, 50),
)
def test_windows_of_turned_and_south_up_grids_keep_their_ground(
    degrees: float, flip: int, row: int, col: int
) -> None:
    turned = Affine(10, 0, 5e5, 0, -10, 5e6) @ Affine.rotation(degrees) @ Affine.scale(1, flip)
    grid = Grid(60, 80, turned, CRS.from_epsg(32632))
    part = grid.crop(Window(row, col, 20, 30))
    np.testing.assert_allclose(part.transform @ (3, 5), turned @ (col + 3, row + 5), atol=1e-6)
    back = part.crop(Window(-row, -col, 60, 80))
    assert same_grid(back, grid)
    assert not same_grid(part.crop(Window(0, 0, 60, 80)), grid) or (row, col) == (0, 0)
    west, south, east, north = grid.bounds
    xs, ys = zip(*(turned @ (c, r) for c in (0, 80) for r in (0, 60)), strict=True)
    assert (west, south, east, north) == (min(xs), min(ys), max(xs), max(ys))


@pytest.mark.parametrize("code", [4326, 3857])
def test_metres_of_rows_give_the_area_on_the_ground(code: int) -> None:
    """Of a raster from 50 to 60 degrees north: its first rows are much smaller than its last."""
    west, south, east, north = transform_bounds("EPSG:4326", f"EPSG:{code}", 3, 50, 4, 60)
    step = Affine((east - west) / 50, 0, west, 0, (south - north) / 500, north)
    grid = Grid(500, 50, step, CRS.from_epsg(code))
    metres = grid.row_gsd_m()
    assert metres is not None
    for rows in (slice(0, 50), slice(450, 500)):
        corners = [
            step @ (col, row)
            for col, row in ((0, rows.start), (50, rows.start), (50, rows.stop), (0, rows.stop))
        ]
        xs, ys = zip(*corners, strict=True)
        lons, lats = transform(f"EPSG:{code}", "EPSG:4326", xs, ys)
        ring = segmentize(Polygon(list(zip(lons, lats, strict=True))), 0.02)
        area, _ = Geod(ellps="WGS84").geometry_area_perimeter(ring)
        assert 50 * (metres[rows] ** 2).sum() == pytest.approx(abs(area), rel=2e-3)


def test_rows_of_a_grid_in_metres_are_alike() -> None:
    grid = Grid(500, 50, Affine(10, 0, 500_000, 0, -10, 5_000_000), CRS.from_epsg(32631))
    np.testing.assert_array_equal(grid.row_gsd_m(), np.full(500, 10.0))
    assert Grid(5, 5, Affine.identity()).row_gsd_m() is None
