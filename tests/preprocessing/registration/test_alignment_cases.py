"""Grids that go wrong easily: south-up, across the antimeridian, read in windows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform
from written_rasters import same_grid

from preprocessing.errors import GridMismatchError, NoOverlapError
from preprocessing.rasters.grid import Grid, Window, inside, whole
from preprocessing.rasters.image_source import (
    AveragedImage,
    HeldImage,
    ImageSource,
    MaskedImage,
)
from preprocessing.rasters.raster import Raster
from preprocessing.registration.alignment import align, lay_over
from preprocessing.registration.common_grid import common_grid, lattice_offset, near_longitudes
from preprocessing.registration.shift import Shift, ShiftedImage, apply_shift
from preprocessing.registration.warped import WarpedImage

DEGREES = CRS.from_epsg(4326)
UTM1 = CRS.from_epsg(32601)  # Begins at the antimeridian.


def waves(grid: Grid) -> Raster:
    """Waves over the ground near 180 degrees east, 20 degrees north, sampled on any grid."""
    cols, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    t = grid.transform
    xs, ys = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    if grid.crs != DEGREES:
        there = transform(grid.crs, DEGREES, xs.ravel().tolist(), ys.ravel().tolist())
        xs, ys = (np.reshape(v, cols.shape) for v in there)
    east, north = 1000 * ((xs % 360) - 180), 1000 * (ys - 20)
    bands = [np.sin(0.9 * east), np.cos(0.7 * north), np.sin(0.5 * (east + north))]
    data = (0.5 + 0.4 * np.stack(bands)).astype(np.float32)
    return Raster(data, grid, np.ones(cols.shape, bool))


def in_degrees(west: float, *, width: int = 160, height: int = 140, step: float = 1e-4) -> Grid:
    return Grid(height, width, Affine(step, 0, west, 0, -step, 20.007), DEGREES)


def in_metres(*, width: int = 170, height: int = 150) -> Grid:
    """10 m pixels of UTM zone 1 around 180 degrees east."""
    x, y = transform(DEGREES, UTM1, [180.0], [20.0])
    return Grid(height, width, Affine(10, 0, x[0] - 850, 0, -10, y[0] + 750), UTM1)


def south_up(grid: Grid) -> Grid:
    """The same ground with rows that go north."""
    t = grid.transform
    flipped = Affine(t.a, t.b, t.c + grid.height * t.b, t.d, -t.e, t.f + grid.height * t.e)
    return replace(grid, transform=flipped)


def check_same(first: Raster, second: Raster, least: int, tolerance: float = 0.02) -> None:
    assert first.grid == second.grid
    both = first.valid & second.valid
    assert both.sum() > least
    np.testing.assert_allclose(second.data[:, both], first.data[:, both], atol=tolerance)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(in_degrees(179.992), in_degrees(-180.005), id="degrees east and west"),
        pytest.param(in_degrees(-180.008), in_degrees(179.995), id="degrees west and east"),
        pytest.param(in_degrees(179.992), in_metres(), id="metres under degrees"),
        pytest.param(in_metres(), in_degrees(179.992), id="degrees beyond 180 under metres"),
        pytest.param(in_metres(), in_degrees(-180.008), id="degrees below -180 under metres"),
        pytest.param(in_degrees(179.992, step=1.3e-4), in_degrees(-180.007), id="coarser degrees"),
        pytest.param(in_degrees(179.992, step=1.3e-4), in_degrees(-179.9995), id="all beyond 180"),
    ],
)
def test_images_meet_across_the_antimeridian(earlier: Grid, later: Grid) -> None:
    first, second = align(waves(earlier), waves(later))
    check_same(first, second, 6000)
    # Windows on either side of the antimeridian give the same as the whole.
    image = WarpedImage(HeldImage(waves(later)), first.grid)
    height, width = first.valid.shape
    for col in (0, width - 20):
        window = Window(height // 3, col, 40, 20)
        part, cut = image.read(window), second.crop(window)
        both = part.valid & cut.valid
        assert both.sum() > 400
        np.testing.assert_allclose(part.data[:, both], cut.data[:, both], atol=5e-3)


@pytest.mark.parametrize("upside", [(True, False), (False, True), (True, True)])
def test_south_up_rasters(upside: tuple[bool, bool]) -> None:
    grids = [in_metres(), in_metres(width=150)]
    rasters = [waves(south_up(g) if up else g) for g, up in zip(grids, upside, strict=True)]
    first, second = align(*rasters)
    check_same(first, second, 20_000)
    assert (first.grid.transform.e > 0) == upside[0]
    assert first.valid.shape == (150, 150)


@settings(max_examples=25)
@given(
    turn=st.floats(-180, 180),
    scale=st.floats(0.3, 3.0),
    dy=st.floats(-3, 3),
    dx=st.floats(-3, 3),
    row=st.integers(-20, 120),
    col=st.integers(-20, 120),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
)
def test_windows_of_a_warped_image_join(
    turn: float,
    scale: float,
    dy: float,
    dx: float,
    row: int,
    col: int,
    height: int,
    width: int,
) -> None:
    grid = in_metres()
    around = Affine.translation(85, 75) @ Affine.rotation(turn) @ Affine.scale(scale)
    later = replace(grid, transform=grid.transform @ around @ Affine.translation(-85, -75))
    image = WarpedImage(HeldImage(waves(later)), grid, shift=Shift(dy, dx))
    window = Window(row, col, height, width)
    part = image.read(window)
    assert part.grid == grid.crop(window)
    full = HeldImage(image.read(whole(grid))).read(window)
    both = part.valid & full.valid
    known = inside(window, grid)
    # GDAL resolves 1/16 px of the source when it decides which pixels of the rim are seen.
    assert (part.valid != full.valid)[_rows(known, window)].mean() < 0.1 if known else True
    np.testing.assert_allclose(part.data[:, both], full.data[:, both], atol=2e-3)


def _rows(known: Window | None, window: Window) -> tuple[slice, slice]:
    assert known is not None
    return Window(known.row - window.row, known.col - window.col, known.height, known.width).slices


@dataclass
class Watched:
    """An image that remembers what was read of it."""

    source: ImageSource
    largest: int = 0
    windows: list[Window] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.source, name)

    def read(self, window: Window, /) -> Raster:
        self.windows.append(window)
        self.largest = max(self.largest, window.height * window.width)
        return self.source.read(window)


def test_only_what_a_window_needs_is_read() -> None:
    grid = in_metres(width=600, height=500)
    turned = replace(grid, transform=grid.transform @ Affine.rotation(3))
    watched = Watched(HeldImage(waves(turned)))
    WarpedImage(watched, grid).read(Window(200, 200, 64, 64))
    assert 64 * 64 <= watched.largest < 100 * 100
    same = Watched(HeldImage(waves(grid)))
    WarpedImage(same, grid.crop(Window(10, 20, 300, 300))).read(Window(5, 5, 64, 64))
    assert same.windows == [Window(15, 25, 64, 64)]


def test_much_finer_images_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = in_metres().scaled(8)
    whole_image = WarpedImage(HeldImage(waves(fine)), in_metres()).read(Window(20, 20, 100, 100))
    monkeypatch.setattr("preprocessing.registration.warped._MOST_PX", 300 * 300)
    watched = Watched(HeldImage(waves(fine)))
    parts = WarpedImage(watched, in_metres()).read(Window(20, 20, 100, 100))
    assert watched.largest <= 300 * 300
    assert len(watched.windows) > 4
    np.testing.assert_allclose(parts.data, whole_image.data, atol=1e-4)


@settings(max_examples=20)
@given(
    dy=st.floats(-9, 9),
    dx=st.floats(-9, 9),
    row=st.integers(-20, 60),
    col=st.integers(-20, 60),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
)
def test_windows_of_a_shifted_image_join(
    dy: float, dx: float, row: int, col: int, height: int, width: int
) -> None:
    rng = np.random.default_rng(3)
    grid = in_metres(width=70, height=64)
    data = rng.uniform(0, 1, (3, 64, 70)).astype(np.float32)
    raster = Raster(data, grid, rng.uniform(0, 1, (64, 70)) > 0.02)
    window = Window(row, col, height, width)
    part = ShiftedImage(HeldImage(raster), Shift(dy, dx)).read(window)
    full = HeldImage(apply_shift(raster, Shift(dy, dx))).read(window)
    np.testing.assert_array_equal(part.valid, full.valid)
    np.testing.assert_allclose(part.data[:, part.valid], full.data[:, part.valid], atol=1e-6)
    assert part.grid == grid.crop(window)


@given(row=st.integers(-90, 90), col=st.integers(-90, 90))
@settings(max_examples=20)
def test_offsets_on_one_lattice(row: int, col: int) -> None:
    grid = in_metres()
    assert lattice_offset(grid.crop(Window(row, col, 30, 40)), grid) == (row, col)
    moved = replace(grid, transform=grid.transform @ Affine.translation(0.25, 0))
    assert lattice_offset(moved, grid) is None
    assert lattice_offset(grid.scaled(2), grid) is None


def test_longitudes_come_near() -> None:
    east, west = in_degrees(179.99), in_degrees(-180.01)
    assert near_longitudes(west, east).bounds.west == pytest.approx(179.99)
    assert near_longitudes(east, east) == east
    assert near_longitudes(in_metres(), east) == in_metres()


def test_other_metres_per_pixel() -> None:
    earlier, later = HeldImage(waves(in_metres())), HeldImage(waves(in_metres(width=120)))
    grid = common_grid(earlier, later, gsd_m=25)
    assert grid.gsd_m == pytest.approx(25)
    assert (grid.height, grid.width) == (60, 48)
    first, second = (image.read(whole(grid)) for image in lay_over(earlier, later, grid))
    check_same(first, second, 2000)
    check_same(first, waves(grid), 2000, 0.15)
    bare = [replace(v.raster, grid=replace(in_metres(), crs=None)) for v in (earlier, earlier)]
    images = [HeldImage(raster) for raster in bare]
    with pytest.raises(GridMismatchError, match="metres per pixel of raster to resample"):
        common_grid(*images, gsd_m=25)
    assert common_grid(*images, gsd_m=20, stated_gsd_m=10).height == 75


@pytest.mark.parametrize("factor", [1.5, 2, 4])
def test_coarser_pixels_are_means_of_the_ground_they_cover(factor: float) -> None:
    grid = in_metres(width=168, height=156)
    board = (np.indices((156, 168)).sum(axis=0) % 2).astype(np.float32)
    noise = np.random.default_rng(0).normal(0.5, 0.1, (156, 168)).astype(np.float32)
    data = np.stack([board, noise, waves(grid).data[2]])
    image = HeldImage(Raster(data, grid, np.ones(board.shape, bool)))
    coarse = common_grid(image, image, gsd_m=10 * factor)
    seen = lay_over(image, image, coarse)[0].read(whole(coarse))
    assert seen.valid.all()
    inner = seen.data[:, 2:-2, 2:-2]
    # Picked pixels would be 0 or 1, with the noise of one pixel instead of that of a mean; the
    # squares of the cubic weights add up to 0.82 of those of equal ones, along each axis.
    np.testing.assert_allclose(inner[0], 0.5, atol=0.03)
    assert inner[1].std() == pytest.approx(0.82 * 0.1 / factor, rel=0.08)
    assert inner[1].mean() == pytest.approx(noise.mean(), abs=0.002)
    if factor == int(factor):
        means = AveragedImage(image, int(factor)).read(whole(coarse)).data[2]
        np.testing.assert_allclose(seen.data[2], means, atol=0.01)


def test_finer_pixels_lie_on_the_curve_between_the_given_ones() -> None:
    image = HeldImage(waves(in_metres()))
    fine = common_grid(image, image, gsd_m=2.5)
    assert (fine.height, fine.width) == (600, 680)
    seen = lay_over(image, image, fine)[0].read(whole(fine))
    assert seen.valid.all()
    # Picked pixels would be off by up to half a pixel, 0.015.
    check_same(replace(seen, date=None), waves(fine), 400_000, 0.02)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(seen.data[inner], waves(fine).data[inner], atol=0.001)


def test_other_side_of_the_world_shares_no_ground() -> None:
    far = Grid(100, 100, Affine(10, 0, 500_000, 0, -10, 5_000_000), CRS.from_epsg(32631))
    with pytest.raises(NoOverlapError, match="coordinate systems"):
        align(
            waves(in_metres()),
            Raster(np.zeros((3, 100, 100), np.float32), far, np.ones((100, 100), bool)),
        )


def test_masked_image_hides_and_knows_its_surroundings() -> None:
    raster = waves(in_metres())
    seen_shapes = []

    def clear(part: Raster) -> np.ndarray:
        seen_shapes.append(part.valid.shape)
        return part.data[0] < 0.6

    image = MaskedImage(HeldImage(raster), clear, halo_px=7)
    part = image.read(Window(20, 30, 40, 50))
    np.testing.assert_array_equal(part.valid, raster.data[0, 20:60, 30:80] < 0.6)
    assert seen_shapes == [(54, 64)]
    assert image.read(Window(-5, 0, 10, 10)).valid[:5].sum() == 0
    assert image.read(Window(-50, 0, 10, 10)).valid.sum() == 0


def test_averaged_windows_are_those_of_the_averaged_raster() -> None:
    raster = waves(in_metres())
    image = AveragedImage(HeldImage(raster), 4)
    small = image.read(whole(image.grid))
    part, cut = image.read(Window(3, 5, 20, 10)), small.crop(Window(3, 5, 20, 10))
    np.testing.assert_allclose(part.data, cut.data, atol=1e-6)
    assert same_grid(part.grid, cut.grid)
