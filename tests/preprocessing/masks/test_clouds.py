from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform

from preprocessing.errors import (
    CloudMaskError,
    GridMismatchError,
    MissingFileError,
    UnreadableRasterError,
)
from preprocessing.masks.cloud_detection import DETECTION_HALO_PX
from preprocessing.masks.clouds import CloudSource, detect_clouds
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.raster import Raster
from preprocessing.simulator import World, WorldConfig, simulate_world

UTM, LONLAT = CRS.from_epsg(32632), CRS.from_epsg(4326)
GRID = Grid(60, 80, Affine(20, 0, 500_000, 0, -20, 5_000_000), UTM)


def write(path: Path, codes: np.ndarray, grid: Grid = GRID, **options: Any) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=codes.shape[0],
        width=codes.shape[1],
        dtype=codes.dtype,
        crs=grid.crs,
        transform=grid.transform,
        **options,
    ) as file:
        file.write(codes, 1)
    return path


# What the handbooks say, written out once more.
SCL = {0: False, 1: False, 2: True, 3: False, 4: True, 5: True, 6: True, 7: True, 8: False,
       9: False, 10: False, 11: True}  # fmt: skip
# Frequent values of QA_PIXEL with their meaning in the Landsat 8-9 Collection 2 guide.
QA = {
    0: False,  # no bit at all: not observed
    1: False,  # fill
    21824: True,  # clear, low confidences
    21952: True,  # water
    21762: False,  # dilated cloud
    22018: False,  # dilated cloud over water
    22280: False,  # high confidence cloud
    23888: False,  # high confidence cloud shadow
    23952: False,  # water with cloud shadow
    30048: True,  # high confidence snow or ice
    54596: False,  # high confidence cirrus
    54852: False,  # high confidence cirrus, water
    55052: False,  # high confidence cloud and cirrus
}


@pytest.mark.parametrize(
    ("kind", "meaning", "snow", "dtype"),
    [("scl", SCL, 11, "uint8"), ("qa_pixel", QA, 30048, "uint16")],
)
def test_official_values(
    tmp_path: Path, kind: str, meaning: dict[int, bool], snow: int, dtype: str
) -> None:
    values = np.array(list(meaning), dtype)
    codes = np.resize(values, (60, 80)).astype(dtype)
    path = write(tmp_path / "codes.tif", codes, nodata=0 if kind == "scl" else 1)
    expected = np.vectorize(meaning.get)(codes)
    np.testing.assert_array_equal(CloudSource.open(path, kind).clear(GRID), expected)
    assert (codes == snow).any()


def test_nodata_that_is_no_class_hides_ground(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).choice([4, 9, 255], (60, 80)).astype(np.uint8)
    source = CloudSource.open(write(tmp_path / "warped.tif", codes, nodata=255), "scl")
    np.testing.assert_array_equal(source.clear(GRID), codes == 4)


def test_codes_of_many_bits_stay_what_they_are(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).choice([0, 2**32], (60, 80)).astype(np.uint64)
    source = CloudSource.open(write(tmp_path / "mask.tif", codes), "mask")
    np.testing.assert_array_equal(source.clear(GRID), codes == 0)


@pytest.mark.parametrize("nodata", [None, 0, 255])
def test_a_plain_mask(tmp_path: Path, nodata: float | None) -> None:
    codes = np.random.default_rng(0).choice([0, 1, 7, 255], (60, 80)).astype(np.uint8)
    source = CloudSource.open(write(tmp_path / "mask.tif", codes, nodata=nodata), "mask")
    np.testing.assert_array_equal(source.clear(GRID), codes == 0)


def test_excluded_pixels_are_not_clear(tmp_path: Path) -> None:
    path = write(tmp_path / "holes.tif", np.zeros((60, 80), np.uint8))
    holes = np.random.default_rng(1).random((60, 80)) < 0.3
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(~holes)
    np.testing.assert_array_equal(CloudSource.open(path, "mask").clear(GRID), ~holes)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.integers(-40, 90),
    col=st.integers(-40, 110),
    size=st.integers(1, 50),
    scale=st.sampled_from([0.5, 1.0, 1.7, 2.0]),
    degrees=st.sampled_from([0.0, 30.0, 180.0]),
    flip=st.sampled_from([1, -1]),
    epsg=st.sampled_from([32632, 4326]),
)
def test_nearest_pixel_of_any_window(
    tmp_path: Path,
    row: int,
    col: int,
    size: int,
    scale: float,
    degrees: float,
    flip: int,
    epsg: int,
) -> None:
    path = tmp_path / "any.tif"
    # Any mixture of 0 and 255 would be hidden.
    codes = np.kron(np.random.default_rng(2).choice([0, 255], (12, 16)), np.ones((5, 5)))
    if not path.exists():
        write(path, codes.astype(np.uint8))
    crs = CRS.from_epsg(epsg)
    base = GRID.transform
    if epsg == 4326:
        lon, lat = transform(UTM, LONLAT, [500_000], [5_000_000])
        base = Affine(2.5e-4, 0, lon[0], 0, -1.8e-4, lat[0])
    turned = (
        base
        @ Affine.translation(col, row)
        @ Affine.rotation(degrees)
        @ Affine.scale(scale, scale * flip)
    )
    grid = Grid(size, size + 3, turned, crs)
    clear = CloudSource.open(path, "mask").clear(grid)
    cols, rows = (v.ravel() + 0.5 for v in np.meshgrid(np.arange(size + 3), np.arange(size)))
    xs, ys = turned @ (cols, rows)
    if crs != UTM:
        xs, ys = (np.array(v) for v in transform(crs, UTM, xs.tolist(), ys.tolist()))
    at_col, at_row = ~GRID.transform @ (xs, ys)
    inside = (at_row >= 0) & (at_row < 60) & (at_col >= 0) & (at_col < 80)
    found = codes[
        np.floor(at_row).astype(int).clip(0, 59), np.floor(at_col).astype(int).clip(0, 79)
    ]
    expected = inside & (found == 0)
    # GDAL's warper may be off by an eighth of a pixel, and centres may lie on an edge.
    edge = np.minimum(
        np.abs(at_row / 5 - np.round(at_row / 5)), np.abs(at_col / 5 - np.round(at_col / 5))
    )
    sure = edge * 5 > 0.3 * max(1.0, scale)
    np.testing.assert_array_equal(clear.ravel()[sure], expected[sure])


def test_windows_agree_with_the_whole(tmp_path: Path) -> None:
    codes = np.random.default_rng(3).integers(0, 12, (60, 80)).astype(np.uint8)
    source = CloudSource.open(write(tmp_path / "scl.tif", codes), "scl")
    fine = GRID.scaled(2)
    whole = source.clear(fine)
    for window in (Window(0, 0, 40, 50), Window(33, 71, 64, 64), Window(100, 140, 20, 20)):
        rows, cols = window.slices
        np.testing.assert_array_equal(source.clear(fine.crop(window)), whole[rows, cols])


def test_beyond_the_mask_is_not_clear(tmp_path: Path) -> None:
    clear_all = np.full((60, 80), 21824, np.uint16)
    source = CloudSource.open(write(tmp_path / "qa.tif", clear_all), "qa_pixel")
    seen = source.clear(GRID.crop(Window(-10, -10, 80, 100)))
    expected = np.zeros((80, 100), bool)
    expected[10:70, 10:90] = True
    np.testing.assert_array_equal(seen, expected)
    assert not source.clear(GRID.crop(Window(500, 0, 9, 9))).any()
    far = Grid(9, 9, Affine(1e-3, 0, -70, 0, -1e-3, -30), LONLAT)
    assert not source.clear(far).any()


@pytest.mark.parametrize("west", [179.99, -180.01])
@pytest.mark.parametrize("epsg", [32701, 4326])
def test_masks_across_the_antimeridian(tmp_path: Path, west: float, epsg: int) -> None:
    codes = np.kron(np.random.default_rng(5).integers(0, 2, (4, 4)), np.ones((25, 25)))
    degrees = Grid(100, 100, Affine(2e-4, 0, west, 0, -2e-4, -17), LONLAT)
    path = write(tmp_path / "fiji.tif", codes.astype(np.uint8), degrees)
    if epsg == 4326:
        # The same ground, counted the other way round the globe.
        other = west - 360 if west > 0 else west + 360
        grid = Grid(30, 30, Affine(6e-4, 0, other + 0.001, 0, -6e-4, -17.0005), LONLAT)
    else:
        xs, ys = transform(LONLAT, CRS.from_epsg(epsg), [-179.9999], [-17.009])
        grid = Grid(30, 30, Affine(50, 0, xs[0] - 750, 0, -50, ys[0] + 750), CRS.from_epsg(epsg))
    cols, rows = (v.ravel() + 0.5 for v in np.meshgrid(np.arange(30), np.arange(30)))
    xs, ys = grid.transform @ (cols, rows)
    lon, lat = (np.array(v) for v in transform(grid.crs, LONLAT, xs.tolist(), ys.tolist()))
    col, row = ((lon - west) % 360) / 2e-4, (-17 - lat) / 2e-4
    inside = (col < 100) & (row >= 0) & (row < 100)
    found = codes[np.floor(row).astype(int).clip(0, 99), np.floor(col).astype(int).clip(0, 99)]
    clear = CloudSource.open(path, "mask").clear(grid).ravel()
    assert inside.mean() > 0.9
    sure = (np.abs(col / 25 - np.round(col / 25)) > 0.01) & (
        np.abs(row / 25 - np.round(row / 25)) > 0.01
    )
    np.testing.assert_array_equal(clear[sure], (inside & (found == 0))[sure])


def test_pictures_without_georeference(tmp_path: Path) -> None:
    codes = np.random.default_rng(4).integers(0, 2, (60, 80)).astype(np.uint8)
    bare = Grid(60, 80, Affine.identity())
    source = CloudSource.open(write(tmp_path / "bare.tif", codes, bare), "mask")
    part = Window(10, 20, 30, 40)
    np.testing.assert_array_equal(source.clear(bare.crop(part)), codes[10:40, 20:60] == 0)
    with pytest.raises(GridMismatchError, match="the mask has none"):
        source.clear(GRID)
    placed = CloudSource.open(write(tmp_path / "placed.tif", codes), "mask")
    with pytest.raises(GridMismatchError, match="the image has none"):
        placed.clear(bare)


def test_wrong_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CloudMaskError, match="scl, qa_pixel, mask, got 'fmask'"):
        CloudSource.open(tmp_path / "x.tif", "fmask")
    with pytest.raises(MissingFileError):
        CloudSource.open(tmp_path / "x.tif", "scl")
    eight = write(tmp_path / "eight.tif", np.zeros((60, 80), np.uint8))
    with pytest.raises(CloudMaskError, match=r"16-bit flags .*eight\.tif .* got uint8"):
        CloudSource.open(eight, "qa_pixel")
    real = write(tmp_path / "real.tif", np.zeros((60, 80), np.float32))
    with pytest.raises(CloudMaskError, match="whole numbers"):
        CloudSource.open(real, "mask")
    flags = write(tmp_path / "flags.tif", np.full((60, 80), 21824, np.uint16))
    with pytest.raises(CloudMaskError, match=r"classes of 0 to 11 .* got 21824 to 21824"):
        CloudSource.open(flags, "scl").clear(GRID)
    content = flags.read_bytes()
    flags.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableRasterError, match="damaged data in the cloud mask"):
        CloudSource.open(flags, "qa_pixel").clear(GRID)


@cache
def worlds(seed: int) -> tuple[World, World]:
    sizes = {"height": 256, "width": 256, "years": 1, "seed": seed}
    return simulate_world(WorldConfig(**sizes, clouds=True)), simulate_world(WorldConfig(**sizes))


def test_detected_clouds_of_the_made_world() -> None:
    clouded, clean = worlds(0)
    assert clouded.clouds is not None
    found = hidden = cloud = right = caught = 0
    for image, ground, mask in zip(clouded.rasters, clean.rasters, clouded.clouds, strict=True):
        every = np.ones_like(mask)
        detected = detect_clouds(Raster(image.data, image.grid, every))
        # The mask holds shadows too; clouds are where the scene is brighter than without them.
        bright = mask & ((image.data - ground.data).mean(axis=0) > 0.05)
        found, hidden = found + detected.sum(), hidden + (detected & mask).sum()
        cloud, caught = cloud + bright.sum(), caught + (detected & bright).sum()
        right += detect_clouds(Raster(ground.data, ground.grid, every)).sum()
    assert cloud > 1000
    assert hidden / found > 0.9
    assert caught / cloud > 0.85
    assert right == 0


def test_roofs_water_and_colours_are_no_clouds() -> None:
    grid = Grid(120, 120, Affine(10, 0, 500_000, 0, -10, 5_000_000), UTM)
    data = np.full((3, 120, 120), 0.3, np.float32)
    data[:, 10:14, :] = 0.95  # a white road, 40 m wide
    data[:, 30:60, 30:60] = np.array([0.95, 0.8, 0.5], np.float32)[:, None, None]  # pale sand
    data[:, 70:110, 70:110] = np.array([0.1, 0.2, 0.3], np.float32)[:, None, None]  # water
    data[:, 30:60, 70:110] = np.array([0.72, 0.85, 1.0], np.float32)[:, None, None]  # a blue roof
    every = np.ones((120, 120), bool)
    assert not detect_clouds(Raster(data, grid, every)).any()
    data[:, 80:100, 10:40] = 0.9
    detected = detect_clouds(Raster(data, grid, every))
    assert detected[80:100, 10:40].all()
    assert not detected[:70].any()
    unseen = every.copy()
    unseen[75:105, 5:45] = False
    assert not detect_clouds(Raster(data, grid, unseen)).any()


def test_detection_in_windows_with_a_halo_is_the_same() -> None:
    image = worlds(0)[0].rasters[0]
    raster = Raster(image.data, image.grid, np.ones_like(image.valid))
    whole, halo = detect_clouds(raster), DETECTION_HALO_PX
    for row in range(0, 256, 64):
        for col in range(0, 256, 64):
            top, left = max(0, row - halo), max(0, col - halo)
            window = Window(
                top, left, min(256, row + 64 + halo) - top, min(256, col + 64 + halo) - left
            )
            part = detect_clouds(raster.crop(window))
            inner = part[row - top : row - top + 64, col - left : col - left + 64]
            np.testing.assert_array_equal(inner, whole[row : row + 64, col : col + 64])
    assert whole.any()
