"""Blocks that were never written are no ground; what is said of bands stays with forecasts."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pictures import picture
from rasterio.windows import Window as Part
from upscale_cases import request
from written_rasters import noise, write

from app.cli.entry import run
from app.forecasts.record import assumptions
from app.forecasts.request import ForecastRequest
from app.upscaling.run import upscale
from forecast.region.images import open_images
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.window import Window


def sparse(path: Path, **profile: object) -> Path:
    """Four blocks of 16 x 16, of which the second is not written."""
    options = {"tiled": True, "blockxsize": 16, "blockysize": 16, "sparse_ok": True, **profile}
    data = noise(side=32) | 1
    write(path, data, **options)
    with rasterio.open(path) as dataset:
        kept = dataset.profile | {"driver": "GTiff", **options}
    path.unlink()
    with rasterio.open(path, "w", **kept) as dataset:
        for row, col in ((0, 0), (16, 0), (16, 16)):
            block = data[:, row : row + 16, col : col + 16]
            dataset.write(block, window=Part(col, row, 16, 16))
    return path


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_unwritten_blocks_are_missing_ground(
    tmp_path: Path, bicubic_model: str, caplog: pytest.LogCaptureFixture, interleave: str
) -> None:
    path = sparse(tmp_path / "a_2016.tif", interleave=interleave)
    with caplog.at_level(logging.WARNING):
        source = RasterSource.open(path)
    assert "1 block never written" in caplog.text
    expected = np.ones((32, 32), bool)
    expected[:16, 16:] = False
    assert np.array_equal(source.read().valid, expected)
    part = source.read(Window(10, -5, 10, 30)).valid
    assert np.array_equal(part[:, 5:], expected[10:20, :25])
    said = assumptions(ForecastRequest((path,), tmp_path / "out"), open_images([path]))
    assert "assumed: 1 block of a_2016.tif, never written, is missing ground, not black" in said
    upscale(request(path, tmp_path / "x4.tif", bicubic_model))
    with rasterio.open(tmp_path / "x4.tif") as made:
        assert np.array_equal(made.dataset_mask()[::4, ::4] > 0, expected)


def test_nodata_already_tells_of_unwritten_blocks(tmp_path: Path) -> None:
    source = RasterSource.open(sparse(tmp_path / "a_2016.tif", nodata=0))
    assert source.unwritten is None
    assert not source.read().valid[:16, 16:].any()


def test_black_ground_that_was_written_is_ground(tmp_path: Path) -> None:
    source = RasterSource.open(write(tmp_path / "a_2016.tif", np.zeros((3, 32, 32), np.uint8)))
    assert source.unwritten is None
    assert source.read().valid.all()


def test_scales_and_units_stay_with_forecasts(tmp_path: Path, tiny_model_folder: Path) -> None:
    path = write(tmp_path / "a_2016.tif", picture(128, 128).astype(np.uint16) * 10)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = [0.0001] * 3, [-0.1] * 3
        dataset.units = ["reflectance"] * 3
    out = tmp_path / "out"
    command = ["forecast", str(path), "--out", str(out), "--model", str(tiny_model_folder)]
    command += ["--years", "1", "--members", "1", "--workers", "1", "--value-range", "0,3000"]
    assert run(command) == 0
    for name in ("present_2016", "forecast_2017", "mean_2017"):
        with rasterio.open(out / f"{name}.tif") as made:
            assert made.scales == (0.0001,) * 3
            assert made.offsets == (-0.1,) * 3
            assert made.units == ("reflectance",) * 3
            assert made.descriptions == ("red", "green", "blue")
