from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioIOError
from servers.range_server import serve_folder
from written_rasters import same_grid

from preprocessing.errors import (
    BandError,
    MissingFileError,
    NoValidPixelsError,
    UnreadableRasterError,
    ValueRangeError,
)
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import RasterSource, blocks, read_raster, write_cog

UTM = CRS.from_epsg(32632)
NORTH_UP = Affine(10, 0, 500_000, 0, -10, 5_000_000)


def levels(dtype: str = "uint8", *, count: int = 3, seed: int = 0) -> np.ndarray:
    """Stored values `(count, 70, 90)` that never are 0."""
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return rng.uniform(0.01, 1, (count, 70, 90)).astype(dtype)
    return rng.integers(1, 250 if dtype == "uint8" else 9000, (count, 70, 90)).astype(dtype)


def write(path: Path, stored: np.ndarray, **options: Any) -> Path:
    driver = {".jp2": "JP2OpenJPEG", ".png": "PNG", ".jpg": "JPEG"}.get(path.suffix, "GTiff")
    chosen: dict[str, Any] = {"crs": UTM, "transform": NORTH_UP, "driver": driver, **options}
    mask = chosen.pop("mask", None)
    colours = chosen.pop("colours", None)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path,
            "w",
            count=len(stored),
            height=stored.shape[1],
            width=stored.shape[2],
            dtype=stored.dtype,
            **chosen,
        ) as file,
    ):
        file.write(stored)
        if mask is not None:
            file.write_mask(mask)
        if colours is not None:
            file.colorinterp = colours
    return path


FORMATS: dict[str, dict[str, Any]] = {
    "plain.tif": {},
    "tiled.tif": {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"},
    "bands.tif": {"interleave": "band", "compress": "lzw"},
    "exact.jp2": {"QUALITY": "100", "REVERSIBLE": "YES"},
    "picture.png": {},
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("name", [*FORMATS, "linked.vrt", "cloud.tif"])
def test_formats_and_types(tmp_path: Path, name: str, dtype: str) -> None:
    if (name == "exact.jp2" and dtype == "float32") or (
        name == "picture.png" and dtype not in ("uint8", "uint16")
    ):
        pytest.skip("the format does not hold this type")
    stored, path = levels(dtype), tmp_path / name
    grid = Grid(70, 90, NORTH_UP, UTM)
    if name == "cloud.tif":
        write_cog(path, grid, [(Window(0, 0, 70, 90), stored, None)], count=3, dtype=dtype)
    elif name == "linked.vrt":
        rasterio.shutil.copy(write(tmp_path / "linked.tif", stored), path, driver="VRT")
    else:
        write(path, stored, **FORMATS[name])
    low, high = {"uint8": (0, 255), "float32": (0, 1)}.get(dtype, (500, 3500))
    raster = read_raster(path, value_range=(low, high), year=2020)
    expected = (stored.astype(np.float64) - low) / (high - low)
    np.testing.assert_allclose(raster.data, expected, atol=1e-5)
    assert raster.data.dtype == np.float32
    assert raster.valid.all()
    assert same_grid(raster.grid, grid)
    assert raster.encoding.dtype == dtype
    np.testing.assert_array_equal(raster.encoding.encode(raster.data), stored)


def test_jpeg_is_near(tmp_path: Path) -> None:
    smooth = np.linspace(20, 220, 70 * 90).reshape(1, 70, 90).repeat(3, axis=0).astype(np.uint8)
    raster = read_raster(write(tmp_path / "near.jpg", smooth, QUALITY=95))
    np.testing.assert_allclose(raster.data * 255, smooth, atol=4)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_a_range_is_never_guessed(tmp_path: Path, dtype: str) -> None:
    path = write(tmp_path / "unstated.tif", levels(dtype))
    with pytest.raises(ValueRangeError, match=r"--value-range 0,3000 .* or name the sensor"):
        RasterSource.open(path)
    with rasterio.open(path, "r+") as file:
        file.update_tags(VALUE_RANGE="100,2100")
    encoding = RasterSource.open(path).encoding
    assert (encoding.low, encoding.high) == (100, 2100)
    encoding = RasterSource.open(path, value_range=(0, 7)).encoding
    assert (encoding.low, encoding.high) == (0, 7)
    with rasterio.open(path, "r+") as file:
        file.update_tags(VALUE_RANGE="dark")
    with pytest.raises(ValueRangeError, match="'low,high', got 'dark'"):
        RasterSource.open(path)
    with pytest.raises(ValueRangeError, match="low < high"):
        RasterSource.open(path, value_range=(5, 5))


HOLE = np.ones((70, 90), bool)
HOLE[10:30, 40:70] = False


def holed(stored: np.ndarray, value: float) -> np.ndarray:
    return np.where(HOLE, stored, np.asarray(value, stored.dtype))


@pytest.mark.parametrize("how", ["nodata", "negative", "nan", "real nodata", "alpha", "mask"])
def test_what_is_not_there(tmp_path: Path, how: str) -> None:
    path, ranged = tmp_path / "hole.tif", None
    if how == "nodata":
        write(path, holed(levels(), 0), nodata=0)
    elif how == "negative":
        write(path, holed(levels("int16"), -9999), nodata=-9999)
        ranged = (0, 10000)
    elif how == "nan":
        write(path, holed(levels("float32"), np.nan))
        ranged = (0, 1)
    elif how == "real nodata":
        stored = holed(levels("float32"), -3.4e38)
        stored[0, 0, 0] = np.inf
        write(path, stored, nodata=-3.4e38)
        ranged = (0, 1)
    elif how == "alpha":
        stored = np.concatenate([levels(), np.where(HOLE, 255, 0)[None].astype(np.uint8)])
        colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        write(path, stored, colours=colours)
    else:
        write(path, levels(), mask=HOLE)
    raster = read_raster(path, value_range=ranged)
    expected = HOLE.copy()
    expected[0, 0] = how != "real nodata"
    np.testing.assert_array_equal(raster.valid, expected)
    assert np.isfinite(raster.data).all()
    assert raster.encoding.masked == (how in ("alpha", "mask"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_nodata_in_one_band(tmp_path: Path, dtype: str) -> None:
    stored = levels(dtype)
    stored[:, :20], stored[0, 20:30] = 0, 0
    path = write(tmp_path / "zeros.tif", stored, nodata=0)
    possible = read_raster(path, value_range=(0, 250)).valid
    assert not possible[:20].any()
    assert possible[20:].all()
    impossible = read_raster(path, value_range=(1, 250)).valid
    assert not impossible[:30].any()
    assert impossible[30:].all()


def test_all_nodata(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.tif", np.zeros((3, 20, 20), np.uint8), nodata=0)
    with pytest.raises(NoValidPixelsError, match=r"every pixel of .*empty\.tif is nodata"):
        read_raster(path)
    assert not RasterSource.open(path).read(Window(0, 0, 5, 5)).valid.any()


def test_bands_by_colour_by_name_and_by_number(tmp_path: Path) -> None:
    stored = levels(count=5)
    undefined = ColorInterp.undefined
    colours = (undefined, ColorInterp.blue, ColorInterp.red, undefined, ColorInterp.green)
    by_colour = write(tmp_path / "colour.tif", stored, colours=colours)
    assert RasterSource.open(by_colour).bands == (3, 5, 2)
    assert RasterSource.open(by_colour, bands=(5, 1, 1)).bands == (5, 1, 1)
    np.testing.assert_allclose(
        read_raster(by_colour).data * 255, stored[[2, 4, 1]].astype(float), atol=1e-4
    )
    plain = write(tmp_path / "plain.tif", stored, photometric="minisblack")
    assert RasterSource.open(plain).bands == (1, 2, 3)
    with rasterio.open(plain, "r+") as file:
        file.descriptions = ("nir", "Blue", "green ", "RED", None)
    assert RasterSource.open(plain).bands == (4, 3, 2)
    with pytest.raises(BandError, match=r"between 1 and 5 .* got 1,2,6"):
        RasterSource.open(plain, bands=(1, 2, 6))
    alpha = (ColorInterp.alpha, undefined, undefined, undefined)
    first = write(tmp_path / "alpha.tif", stored[:4], photometric="minisblack", colours=alpha)
    assert RasterSource.open(first).bands == (2, 3, 4)


def test_too_few_bands(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="got 1 in"):
        RasterSource.open(write(tmp_path / "grey.tif", levels(count=1)))
    path = write(tmp_path / "palette.tif", levels(count=1), photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (0, 0, 0, 255), 1: (255, 0, 0, 255)})
    with pytest.raises(BandError, match=r"got a palette .* -expand rgb"):
        RasterSource.open(path)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.integers(-30, 80),
    col=st.integers(-30, 100),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
)
def test_windows_are_parts_of_the_whole(
    tmp_path: Path, row: int, col: int, height: int, width: int
) -> None:
    path = tmp_path / "windows.tif"
    if not path.exists():
        write(path, holed(levels("int16"), -1), nodata=-1, transform=Affine(8, 6, 5e5, 6, -8, 5e6))
    source = RasterSource.open(path, value_range=(0, 10000))
    whole, window = source.read(), Window(row, col, height, width)
    part = source.read(window)
    rows, cols = np.mgrid[row : row + height, col : col + width]
    inside = (rows >= 0) & (rows < 70) & (cols >= 0) & (cols < 90)
    at = rows.clip(0, 69), cols.clip(0, 89)
    np.testing.assert_array_equal(part.valid, inside & whole.valid[at])
    np.testing.assert_array_equal(part.data[:, inside], whole.data[:, at[0], at[1]][:, inside])
    np.testing.assert_allclose(
        part.grid.transform @ (2, 3), whole.grid.transform @ (col + 2, row + 3)
    )
    with source.reading() as read:
        np.testing.assert_array_equal(read(window).data, part.data)


@given(height=st.integers(1, 300), width=st.integers(1, 300), size=st.integers(7, 128))
@settings(max_examples=50)
def test_blocks_cover_once(height: int, width: int, size: int) -> None:
    seen = np.zeros((height, width), int)
    for window in blocks(Grid(height, width, NORTH_UP, UTM), size=size):
        assert max(window.height, window.width) <= size
        seen[window.slices] += 1
    assert (seen == 1).all()


GRIDS = {
    "south up": (UTM, Affine(10, 0, 500_000, 0, 10, 5_000_000)),
    "turned": (UTM, Affine(8, 6, 500_000, 6, -8, 5_000_000)),
    "mirrored": (UTM, Affine(-10, 0, 500_000, 0, -10, 5_000_000)),
    "antimeridian": (CRS.from_epsg(4326), Affine(1e-3, 0, 179.96, 0, -1e-3, -17)),
    "antimeridian in metres": (CRS.from_epsg(32701), Affine(10, 0, 180_000, 0, -10, 8_100_000)),
}


@pytest.mark.parametrize("kind", GRIDS)
def test_unusual_grids_are_kept(tmp_path: Path, kind: str) -> None:
    crs, transform = GRIDS[kind]
    stored = levels()
    raster = read_raster(write(tmp_path / "odd.tif", stored, crs=crs, transform=transform))
    assert same_grid(raster.grid, Grid(70, 90, transform, crs))
    np.testing.assert_allclose(raster.data * 255, stored, atol=1e-4)
    back = tmp_path / "back.tif"
    whole = Window(0, 0, 70, 90)
    write_cog(back, raster.grid, [(whole, stored, None)], count=3, dtype="uint8")
    again = read_raster(back)
    assert same_grid(again.grid, raster.grid)
    np.testing.assert_array_equal(again.data, raster.data)


def test_control_points_are_no_grid(tmp_path: Path) -> None:
    path = write(tmp_path / "points.tif", levels(), crs=None, transform=None)
    points = [GroundControlPoint(r, c, 5e5 + c, 5e6 - r) for r, c in ((0, 0), (0, 9), (9, 0))]
    with rasterio.open(path, "r+") as file:
        file.gcps = (points, UTM)
    with pytest.raises(UnreadableRasterError, match="only ground control points"):
        RasterSource.open(path)


def test_pixels_without_area(tmp_path: Path) -> None:
    path = write(tmp_path / "flat.tif", levels(), transform=Affine(10, 10, 0, 10, 10, 0))
    with pytest.raises(UnreadableRasterError, match="expected pixels with an area"):
        RasterSource.open(path)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"found nothing at .*none\.tif"):
        RasterSource.open(tmp_path / "none.tif")
    for name, content in (("text.tif", b"not a raster"), ("nothing.png", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableRasterError, match=f"expected a raster .*{name}"):
            RasterSource.open(tmp_path / name)


@pytest.mark.parametrize("name", ["tiled.tif", "exact.jp2", "picture.png"])
def test_damaged_files(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, levels(), **FORMATS[name])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UnreadableRasterError, match=rf"{name}"):
        read_raster(path)


def test_vrt_of_a_lost_file(tmp_path: Path) -> None:
    path = tmp_path / "linked.vrt"
    rasterio.shutil.copy(write(tmp_path / "gone.tif", levels()), path, driver="VRT")
    (tmp_path / "gone.tif").unlink()
    with pytest.raises(UnreadableRasterError, match=r"linked\.vrt"):
        read_raster(path)


def make_cog(path: Path) -> np.ndarray:
    rng = np.random.default_rng(5)
    stored = rng.integers(0, 256, (3, 1100, 1100)).astype(np.uint8)
    grid = Grid(1100, 1100, NORTH_UP, UTM)
    parts = [(w, stored[:, w.slices[0], w.slices[1]], None) for w in blocks(grid)]
    write_cog(path, grid, parts, count=3, dtype="uint8")
    return stored


def test_reading_over_http_takes_only_what_is_asked_for(tmp_path: Path) -> None:
    stored = make_cog(tmp_path / "town_2019-07-01.tif")
    with serve_folder(tmp_path) as (address, sent):
        url = f"{address}/town_2019-07-01.tif?expires=2031-01-01&signature=hidden"
        source = RasterSource.open(url)
        part = source.read(Window(1030, 1030, 64, 64))
        assert sum(size for _, size in sent) < (tmp_path / "town_2019-07-01.tif").stat().st_size / 2
        with pytest.raises(MissingFileError, match="found nothing at") as caught:
            RasterSource.open(f"{address}/none.tif?signature=hidden")
    np.testing.assert_allclose(part.data * 255, stored[:, 1030:1094, 1030:1094], atol=1e-4)
    assert source.date == dt.date(2019, 7, 1)
    assert part.name == "town_2019-07-01.tif"
    assert "hidden" not in str(caught.value)


def test_reading_from_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bucket").mkdir()
    stored = make_cog(tmp_path / "bucket" / "town_2019.tif")
    with serve_folder(tmp_path) as (address, sent):
        monkeypatch.setenv("AWS_S3_ENDPOINT", address.removeprefix("http://"))
        monkeypatch.setenv("AWS_HTTPS", "NO")
        monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
        monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
        part = RasterSource.open("s3://bucket/town_2019.tif").read(Window(0, 0, 32, 32))
        with pytest.raises(MissingFileError, match="s3://bucket/none"):
            RasterSource.open("s3://bucket/none_2019.tif")
    np.testing.assert_allclose(part.data * 255, stored[:, :32, :32], atol=1e-4)
    assert sent


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Any:
        yield (Window(0, 0, 8, 8), np.ones((3, 8, 8), np.uint8), None)
        raise RasterioIOError("disk full")

    with pytest.raises(RasterioIOError):
        write_cog(
            tmp_path / "half.tif", Grid(8, 8, NORTH_UP, UTM), broken(), count=3, dtype="uint8"
        )
    assert list(tmp_path.iterdir()) == []
