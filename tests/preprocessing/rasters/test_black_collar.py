"""Black filling around an image is no ground; black ground within it is."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pictures import picture
from written_rasters import write

from app.cli.entry import run
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.window import Window


def turned(side: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A picture within a diamond, black around it and in a pond; and where the ground is."""
    data = np.maximum(picture(side, side), 1)
    rows, cols = np.mgrid[:side, :side] - (side - 1) / 2
    ground = np.abs(rows) + np.abs(cols) < 0.7 * side
    data[:, ~ground] = 0
    data[:, side // 2 : side // 2 + 10, side // 2 : side // 2 + 10] = 0
    return data, ground


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_black_filling_is_missing_ground(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    data, ground = turned()
    path = tmp_path / f"a_2016{suffix}"
    driver = "PNG" if suffix == ".png" else "GTiff"
    size = {"count": 3, "height": 128, "width": 128, "dtype": "uint8"}
    with rasterio.open(path, "w", driver=driver, **size) as made:
        made.write(data)
    with caplog.at_level(logging.WARNING):
        source = RasterSource.open(path)
    assert "black filling around the image (about 18 % of it)" in caplog.text
    assert np.array_equal(source.read().valid, ground)
    part = source.read(Window(-5, 20, 40, 70)).valid
    assert np.array_equal(part[5:], ground[:35, 20:90])


def test_filling_of_a_large_file_is_found_in_a_shrunk_one(tmp_path: Path) -> None:
    data = np.full((3, 2500, 1400), 9, np.uint8)
    ground = np.add.outer(np.arange(2500), 2 * np.arange(1400)) > 1501
    data[:, ~ground] = 0
    source = RasterSource.open(write(tmp_path / "a_2016.tif", data))
    assert np.array_equal(source.read().valid, ground)


@pytest.mark.parametrize("profile", [{"nodata": 7}, {"nodata": 0}])
def test_nodata_already_tells_of_filling(tmp_path: Path, profile: dict[str, int]) -> None:
    assert RasterSource.open(write(tmp_path / "a_2016.tif", turned()[0], **profile)).collar is None


def test_a_raster_that_a_forecast_wrote_tells_what_is_missing(tmp_path: Path) -> None:
    """A lake of zeros in a corner of an area of interest is ground."""
    path = write(tmp_path / "present_2020.tif", turned()[0])
    assert RasterSource.open(path).collar is not None
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(LANDCAST="observed 2020")
    assert RasterSource.open(path).collar is None


def test_zero_between_other_values_is_no_filling(tmp_path: Path) -> None:
    path = write(tmp_path / "a_2016.tif", turned()[0].astype(np.int16))
    assert RasterSource.open(path, value_range=(-100, 300)).collar is None
    assert RasterSource.open(path, value_range=(0, 300)).collar is not None


def test_a_forecast_leaves_filling_alone(tmp_path: Path, tiny_model_folder: Path) -> None:
    data, ground = turned()
    path, out = write(tmp_path / "a_2016.tif", data), tmp_path / "out"
    command = ["forecast", str(path), "--out", str(out), "--model", str(tiny_model_folder)]
    assert run([*command, "--years", "1", "--members", "2", "--workers", "1"]) == 0
    with rasterio.open(out / "forecast_2017.tif") as made:
        assert np.array_equal(made.dataset_mask() > 0, ground)
        assert not made.read()[:, ~ground].any()
    assert "black filling around a_2016.tif (18% of it)" in (out / "run.json").read_text()
