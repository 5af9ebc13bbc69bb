from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scenes import UTM, made_world, view
from rasterio.crs import CRS
from rasterio.warp import transform

from preprocessing.errors import GridMismatchError, NoOverlapError
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.raster import Raster
from preprocessing.registration.alignment import align
from preprocessing.registration.coregister import estimate_shift

WORLD = made_world(3)
BASE = Grid(140, 150, Affine(10, 0, 500_000, 0, -10, 5_000_000), UTM)


def smooth(grid: Grid) -> Raster:
    """A function of UTM coordinates, sampled at the pixel centres of any grid."""
    cols, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    t = grid.transform
    xs, ys = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    if grid.crs != UTM:
        flat = transform(grid.crs, UTM, xs.ravel().tolist(), ys.ravel().tolist())
        xs, ys = (np.reshape(v, cols.shape) for v in flat)
    east, north = (xs - 500_000) / 1000, (ys - 5_000_000) / 1000
    bands = [np.sin(9 * east), np.cos(7 * north), np.sin(8 * (east + north))]
    data = (0.5 + 0.4 * np.stack(bands)).astype(np.float32)
    return Raster(data, grid, np.ones(cols.shape, bool))


def turned(grid: Grid, degrees: float, scale: float) -> Grid:
    middle = (grid.width / 2, grid.height / 2)
    matrix = (
        grid.transform
        @ Affine.translation(*middle)
        @ Affine.rotation(degrees)
        @ Affine.scale(scale)
        @ Affine.translation(*(-v for v in middle))
    )
    return replace(grid, transform=matrix)


def check_values(first: Raster, second: Raster, tolerance: float) -> None:
    assert second.grid == first.grid
    inner = first.valid & second.valid
    np.testing.assert_allclose(second.data[:, inner], first.data[:, inner], atol=tolerance)


@settings(max_examples=15)
@given(degrees=st.floats(-180, 180), scale=st.floats(0.5, 1.6))
def test_turned_and_scaled_grids_give_the_same_values(degrees: float, scale: float) -> None:
    earlier, later = smooth(BASE), smooth(turned(BASE, degrees, scale))
    first, second = align(earlier, later)
    # Cubic convolution of a wave of 70 px; the outermost pixels use half a kernel.
    check_values(first, second, 0.03)
    assert (first.valid & second.valid).sum() > 2000


def test_other_coordinate_system() -> None:
    lon, lat = transform(UTM, CRS.from_epsg(4326), [500_100], [4_999_900])
    degrees = Affine(1.2e-4, 0, lon[0], 0, -0.9e-4, lat[0])
    first, second = align(smooth(BASE), smooth(Grid(120, 100, degrees, CRS.from_epsg(4326))))
    check_values(first, second, 0.02)
    assert (second.grid.height, second.grid.width) < (140, 150)
    assert second.valid.mean() > 0.9


def test_same_grid_is_not_resampled() -> None:
    later = smooth(BASE)
    _, second = align(smooth(BASE), later)
    assert second.data is later.data


@given(row=st.integers(-100, 100), col=st.integers(-100, 100))
@settings(max_examples=25)
def test_intersection_of_offset_extents(row: int, col: int) -> None:
    first, second = align(smooth(BASE), smooth(BASE.crop(Window(row, col, 140, 150))))
    assert first.valid.shape == (140 - abs(row), 150 - abs(col))
    assert first.grid == BASE.crop(Window(max(row, 0), max(col, 0), *first.valid.shape))
    assert second.valid.all()
    np.testing.assert_allclose(second.data, first.data, atol=1e-5)


def test_invalid_pixels_are_carried_and_do_not_leak() -> None:
    later = smooth(turned(BASE, 0, 0.9))
    later.valid[40:80, 40:80] = False
    later = replace(later, data=np.where(later.valid, later.data, 1e6).astype(np.float32))
    first, second = align(smooth(BASE), later)
    # Rows and columns 43 to 79 of the earlier raster, whose first 7 are cut off.
    assert not second.valid[38:70, 38:70].any()
    assert second.valid.mean() > 0.85
    check_values(first, second, 0.05)


def test_finer_raster_is_averaged_not_picked() -> None:
    rng = np.random.default_rng(0)
    fine = BASE.scaled(8)
    noise = rng.uniform(0, 1, (3, fine.height, fine.width)).astype(np.float32)
    later = Raster(noise, fine, np.ones((fine.height, fine.width), bool))
    _, second = align(smooth(BASE), later)
    # Uniform noise has a deviation of 0.29; a mean of about 60 pixels one of 0.04.
    assert second.data[:, 5:-5, 5:-5].std() < 0.08


@pytest.mark.parametrize("turn", [0.0, 3.0])
def test_shift_is_removed_in_the_same_step(turn: float) -> None:
    earlier = view(WORLD, row_q=100, col_q=100)
    later = view(WORLD, row_q=112, col_q=93)
    if turn:
        grid = turned(later.grid, turn, 1.0)
        _, later = align(replace(later, grid=grid), later)
    first, second = align(earlier, later)
    found = estimate_shift(first, second)
    assert abs(found.dy_px - 3) < 0.15
    assert abs(found.dx_px + 1.75) < 0.15
    _, moved = align(earlier, later, shift=found)
    assert estimate_shift(first, moved).length_px < 0.1


def test_images_without_georeference_lie_on_one_grid() -> None:
    bare = Grid(140, 150, Affine.identity())
    first, second = align(replace(smooth(BASE), grid=bare), replace(smooth(BASE), grid=bare))
    np.testing.assert_array_equal(first.data, second.data)
    with pytest.raises(GridMismatchError, match="one size"):
        align(
            replace(smooth(BASE), grid=bare),
            view(WORLD, row_q=0, col_q=0, crs=None),
        )
    with pytest.raises(GridMismatchError, match="has none"):
        align(replace(smooth(BASE), grid=bare), smooth(BASE))


def test_no_common_ground() -> None:
    with pytest.raises(NoOverlapError, match="share no observed ground"):
        align(smooth(BASE), smooth(BASE.crop(Window(0, 1000, 140, 150))))


def test_no_common_valid_pixels() -> None:
    earlier, later = smooth(BASE), smooth(BASE)
    earlier.valid[:, :75] = False
    later.valid[:, 75:] = False
    with pytest.raises(NoOverlapError):
        align(earlier, later)
