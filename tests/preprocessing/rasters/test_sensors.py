from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from preprocessing.errors import BandError, DateError, ValueRangeError
from preprocessing.rasters.io import RasterSource, read_raster
from preprocessing.rasters.sensors import SENSORS, sensor_profile

REFLECTANCE = np.linspace(0.0, 0.4, 3 * 20 * 20).reshape(3, 20, 20)


def write(
    path: Path,
    stored: np.ndarray,
    *,
    names: tuple[str | None, ...] = (),
    scale: float = 1.0,
    offset: float = 0.0,
    nodata: float | None = None,
) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(stored),
        height=20,
        width=20,
        dtype=stored.dtype,
        crs=CRS.from_epsg(32632),
        transform=Affine(10, 0, 500_000, 0, -10, 5_000_000),
        photometric="minisblack",
        nodata=nodata,
    ) as file:
        file.write(stored)
        if names:
            file.descriptions = names
        if (scale, offset) != (1.0, 0.0):
            file.scales, file.offsets = [scale] * file.count, [offset] * file.count
    return path


# Digital numbers of a reflectance, from the handbooks, not from the profiles.
STORED = {
    "sentinel-2-l2a": lambda r: r * 10_000,
    "sentinel-2-l2a-04.00": lambda r: r * 10_000 + 1000,
    "landsat-c2-l2": lambda r: (r + 0.2) / 0.0000275,
    "landsat-c2-l2-tm": lambda r: (r + 0.2) / 0.0000275,
    "planet": lambda r: r * 10_000,
}


@pytest.mark.parametrize("name", STORED)
def test_reflectance_of_every_sensor_reads_the_same(tmp_path: Path, name: str) -> None:
    stored = np.rint(STORED[name](REFLECTANCE)).astype(np.uint16)
    raster = read_raster(write(tmp_path / "image_2020.tif", stored), sensor=name)
    # Rounding to 1e-4 or 2.75e-5 of reflectance; unit values are reflectance over 0.3.
    atol = 0.51e-4 / 0.3
    np.testing.assert_allclose(
        raster.data[:, raster.valid], (REFLECTANCE / 0.3)[:, raster.valid], atol=atol
    )
    assert raster.valid.sum() >= 399
    profile = sensor_profile(name)
    black, white = STORED[name](np.array([0.0, 0.3]))
    assert (profile.low, profile.high) == pytest.approx((black, white))


def test_reflectance_as_real_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "real_2020.tif", REFLECTANCE.astype(np.float32))
    np.testing.assert_allclose(
        read_raster(path, sensor="reflectance").data, REFLECTANCE / 0.3, atol=1e-6
    )


def test_naip_is_eight_bits(tmp_path: Path) -> None:
    stored = np.arange(4 * 400).reshape(4, 20, 20).astype(np.uint8)
    source = RasterSource.open(write(tmp_path / "naip_2020.tif", stored), sensor="naip")
    assert (source.encoding.low, source.encoding.high) == (0, 255)
    assert source.bands == (1, 2, 3)


@pytest.mark.parametrize(
    ("sensor", "dtype"),
    [("naip", "uint16"), ("sentinel-2-l2a", "uint8"), ("planet", "float32")],
)
def test_a_profile_for_other_pixels_is_refused(tmp_path: Path, sensor: str, dtype: str) -> None:
    path = write(tmp_path / "other_2020.tif", np.ones((3, 20, 20), dtype))
    with pytest.raises(ValueRangeError, match=rf"for the sensor {sensor}, got {dtype} in .*other"):
        RasterSource.open(path, sensor=sensor)
    assert RasterSource.open(path, sensor=sensor, value_range=(0, 9)).encoding.high == 9


def test_an_unknown_sensor(tmp_path: Path) -> None:
    path = write(tmp_path / "x_2020.tif", np.ones((3, 20, 20), np.uint16))
    with pytest.raises(ValueRangeError, match=r"naip, .*got 'spot'"):
        RasterSource.open(path, sensor="spot")


def test_what_the_file_states_is_believed_more(tmp_path: Path) -> None:
    stored = np.rint(STORED["sentinel-2-l2a-04.00"](REFLECTANCE)).astype(np.uint16)
    path = write(tmp_path / "scaled_2020.tif", stored, scale=1e-4, offset=-0.1)
    # The offset of the file makes up for the profile that has none.
    encoding = RasterSource.open(path, sensor="sentinel-2-l2a").encoding
    assert (encoding.low, encoding.high) == pytest.approx((1000, 4000))
    with pytest.raises(ValueRangeError, match="name the sensor"):
        RasterSource.open(path)
    with rasterio.open(path, "r+") as file:
        file.update_tags(VALUE_RANGE="10,20")
    assert RasterSource.open(path, sensor="sentinel-2-l2a").encoding.high == 20


def test_scales_that_differ_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mixed_2020.tif", np.ones((3, 20, 20), np.uint16))
    with rasterio.open(path, "r+") as file:
        file.scales = [1e-4, 1e-4, 2e-4]
    with pytest.raises(ValueRangeError, match="one scale and offset for red, green and blue"):
        RasterSource.open(path, sensor="sentinel-2-l2a")


def test_nodata_of_the_product(tmp_path: Path) -> None:
    stored = np.full((3, 20, 20), 2000, np.uint16)
    stored[:, 5:10], stored[1, 10:13] = 0, 0
    path = write(tmp_path / "gaps_2020.tif", stored)
    assert read_raster(path, value_range=(0, 3000)).valid.all()
    # 0 is black for one of them, and below black for the other.
    dark = read_raster(path, sensor="sentinel-2-l2a")
    assert not dark.valid[5:10].any()
    assert dark.valid[10:].all()
    offset = read_raster(path, sensor="sentinel-2-l2a-04.00")
    assert not offset.valid[5:13].any()
    assert offset.valid[13:].all()
    assert dark.encoding.nodata == 0
    stated = write(tmp_path / "stated_2020.tif", stored, nodata=2000)
    assert read_raster(stated, sensor="sentinel-2-l2a").encoding.nodata == 2000


@pytest.mark.parametrize(
    ("sensor", "names", "bands"),
    [
        ("sentinel-2-l2a", ("B02", "B03", "B04", "B08"), (3, 2, 1)),
        ("sentinel-2-l2a", ("B2", "B3", "B8", "B4"), (4, 2, 1)),
        ("sentinel-2-l2a", ("blue", "nir", "red", "green"), (3, 4, 1)),
        ("landsat-c2-l2", ("SR_B2", "SR_B3", "SR_B4", "SR_B5"), (3, 2, 1)),
        ("landsat-c2-l2-tm", ("SR_B1", "SR_B2", "SR_B3", "SR_B4"), (3, 2, 1)),
        ("landsat-c2-l2", ("x.SR_B4", "scene/SR_B2", "Landsat SR_B3", None), (1, 3, 2)),
        ("planet", ("Blue", "Green", "Red", "NIR"), (3, 2, 1)),
        ("planet", (None,) * 4, (3, 2, 1)),
        ("planet", ("coastal_blue", None, None, None, None, None, None, None), (6, 4, 2)),
        ("sentinel-2-l2a", (None,) * 12, (4, 3, 2)),
        ("landsat-c2-l2", (None,) * 7, (4, 3, 2)),
        ("landsat-c2-l2-tm", (None,) * 6, (3, 2, 1)),
        ("sentinel-2-l2a", (None,) * 3, (1, 2, 3)),
    ],
)
def test_bands_by_the_names_of_the_sensor(
    tmp_path: Path, sensor: str, names: tuple[str | None, ...], bands: tuple[int, int, int]
) -> None:
    path = write(tmp_path / "b_2020.tif", np.ones((len(names), 20, 20), np.uint16), names=names)
    assert RasterSource.open(path, sensor=sensor).bands == bands


def test_bands_that_cannot_be_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "five_2020.tif", np.ones((5, 20, 20), np.uint16))
    with pytest.raises(BandError, match=r"b04/b4/red, .* 5 bands without such names .* --bands"):
        RasterSource.open(path, sensor="sentinel-2-l2a")
    assert RasterSource.open(path, sensor="sentinel-2-l2a", bands=(3, 2, 1)).bands == (3, 2, 1)


def test_profiles_are_listed_under_their_names() -> None:
    assert all(name == profile.name for name, profile in SENSORS.items())
    assert {"sentinel-2-l2a", "landsat-c2-l2", "naip", "planet"} <= SENSORS.keys()


def stac_item(**properties: object) -> str:
    return json.dumps({"type": "Feature", "stac_version": "1.0.0", "properties": properties})


@pytest.mark.parametrize("ending", [".json", ".stac.json"])
def test_date_of_a_stac_item_beside_the_file(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / "scene_2019.tif", np.ones((3, 20, 20), np.uint8))
    assert RasterSource.open(path).date == dt.date(2019, 1, 1)
    item = path.with_suffix(ending)
    item.write_text(stac_item(datetime="2018-07-09T10:20:30Z"))
    assert RasterSource.open(path).date == dt.date(2018, 7, 9)
    assert RasterSource.open(path, year=2000).date == dt.date(2000, 1, 1)
    item.write_text(
        stac_item(
            datetime=None,
            start_datetime="2018-06-01T00:00:00Z",
            end_datetime="2018-06-11T00:00:00Z",
        )
    )
    assert RasterSource.open(path).date == dt.date(2018, 6, 6)
    with rasterio.open(path, "r+") as file:
        file.update_tags(ACQUISITION_DATE="2017-05-04")
    assert RasterSource.open(path).date == dt.date(2017, 5, 4)


@pytest.mark.parametrize("content", ["", "{broken", "[1, 2]", '{"type": "Feature"}'])
def test_other_json_beside_the_file_does_not_count(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "scene_2019.tif", np.ones((3, 20, 20), np.uint8))
    path.with_suffix(".json").write_text(content)
    assert RasterSource.open(path).date == dt.date(2019, 1, 1)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"datetime": None},
        {"start_datetime": "2015-01-01", "end_datetime": "2018-01-01"},
        {"start_datetime": "2018-01-01", "end_datetime": "2017-12-01"},
    ],
)
def test_a_stac_item_without_a_date_is_refused(tmp_path: Path, properties: dict[str, str]) -> None:
    path = write(tmp_path / "scene_2019.tif", np.ones((3, 20, 20), np.uint8))
    path.with_suffix(".json").write_text(stac_item(**properties))
    with pytest.raises(DateError, match=r"scene_2019\.json, got datetime None"):
        RasterSource.open(path)
    assert RasterSource.open(path, year=2019).date == dt.date(2019, 1, 1)
