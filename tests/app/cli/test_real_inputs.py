"""Inputs of users as they come: each was once taken for something else without a word."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from fake_results import make_result
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from servers.range_server import serve_folder
from servers.signed_bucket import signed_bucket
from written_rasters import noise, write

from app.cli.bars import progress_bars
from app.cli.entry import run
from app.films.animation import Frame, animate, animate_folder
from app.forecasts.record import assumptions
from app.forecasts.request import ForecastRequest
from app.upscaling.run import UpscaleRequest, upscale
from forecast.region.images import open_images
from preprocessing.errors import (
    BandError,
    NoOverlapError,
    RequestError,
    UnreadableRasterError,
    ValueRangeError,
)
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.picture import is_picture
from sr.network.public_checkpoints import read_public_checkpoint
from sr.network.rrdb import RRDBNet
from sr.upscale.bands import UpscaleOptions


def enlarge(source: Path, out: Path, model: str, **options: Any) -> Path:
    return upscale(
        UpscaleRequest(source=source, out=out, options=UpscaleOptions(), model=model, **options)
    )[0]


@pytest.mark.parametrize("name", ["NIR", "Near Infrared", "near-infrared", "B08", "SWIR1"])
def test_a_measurement_tagged_as_alpha_is_data(
    tmp_path: Path, bicubic_model: str, name: str
) -> None:
    data = noise(4)
    data[3, :20] = 0
    path = write(tmp_path / "naip_2016.tif", data)
    with rasterio.open(path, "r+") as dataset:
        assert dataset.colorinterp[3] == ColorInterp.alpha
        dataset.descriptions = ("Red", "Green", "Blue", name)
    source = RasterSource.open(path)
    assert source.bands == (1, 2, 3)
    assert not source.encoding.masked
    assert source.read().valid.all()
    with rasterio.open(enlarge(path, tmp_path / "x4.tif", bicubic_model)) as made:
        assert made.count == 4
        assert made.colorinterp[3] != ColorInterp.alpha
        assert made.dataset_mask().all()


def test_alpha_itself_still_masks(tmp_path: Path) -> None:
    data = noise(4)
    data[3], data[3, :20] = 255, 0
    source = RasterSource.open(write(tmp_path / "a_2016.tif", data))
    assert source.encoding.masked
    assert source.read().valid.mean() == 0.5


@pytest.mark.parametrize("alpha", [False, True])
def test_colour_tables_are_refused_with_alpha_too(tmp_path: Path, alpha: bool) -> None:
    data = noise(2 if alpha else 1)
    path = tmp_path / "map_2019.tif"
    options = {"alpha": "yes"} if alpha else {}
    write(path, data, photometric="palette", **options)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3, 255), 11: (70, 107, 159, 255)})
    for every_band in (False, True):
        with pytest.raises(BandError, match="palette"):
            RasterSource.open(path, every_band=every_band)


def test_rational_polynomials_are_not_dropped(tmp_path: Path, bicubic_model: str) -> None:
    one = [1.0] + [0.0] * 19
    rpc = RPC(
        height_off=500, height_scale=500, lat_off=47, lat_scale=0.003, line_den_coeff=one,
        line_num_coeff=[0.0, 0.0, -1.0] + [0.0] * 17, line_off=64, line_scale=64, long_off=-99,
        long_scale=0.004, samp_den_coeff=one, samp_num_coeff=[0.0, 1.0] + [0.0] * 18, samp_off=64,
        samp_scale=64,
    )  # fmt: skip
    path = write(tmp_path / "basic_2019.tif", noise(), crs=None, transform=None)
    with rasterio.open(path, "r+") as dataset:
        dataset.rpcs = rpc
    with pytest.raises(UnreadableRasterError, match="gdalwarp -rpc"):
        RasterSource.open(path)
    with pytest.raises(UnreadableRasterError, match="gdalwarp -rpc"):
        enlarge(path, tmp_path / "x4.tif", bicubic_model)
    assert not is_picture(path)


def test_a_crs_without_position_is_no_georeference(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "utm_2016.tif", noise(), transform=None)
    with caplog.at_level(logging.WARNING):
        assert RasterSource.open(path).grid.crs is None
    assert "no position" in caplog.text


def test_a_range_of_values_is_refused_for_a_picture(
    tmp_path: Path, bicubic_model: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(
        tmp_path / "a.png", noise(side=16, top=3000), driver="PNG", crs=None, transform=None
    )
    with pytest.raises(RequestError, match="is a picture"):
        enlarge(path, tmp_path / "b.png", bicubic_model, value_range=(0.0, 3000.0))
    with caplog.at_level(logging.WARNING):
        enlarge(path, tmp_path / "b.png", bicubic_model)
    assert "of 65535" in caplog.text


def test_colons_in_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("run:1_2016.tif", "12:30_2016.tif", "IMG:1_2016.tif"):
        write(tmp_path / name, noise())
        assert RasterSource.open(name).read().valid.all()


@pytest.mark.parametrize("scheme", ["http", "s3"])
def test_addresses_are_read_by_forecast_and_upscale(
    make_raster: Callable[..., Path],
    tmp_path: Path,
    tiny_model_folder: Path,
    bicubic_model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scheme: str,
) -> None:
    (tmp_path / "bucket").mkdir()
    make_raster("bucket/place_2016.tif", height=128, width=128)
    how = {"forecast": tiny_model_folder, "upscale": bicubic_model}
    few = ["--years", "1", "--members", "1", "--workers", "1"]
    with signed_bucket(tmp_path, monkeypatch), serve_folder(tmp_path) as (address, _):
        base = "s3://bucket" if scheme == "s3" else f"{address}/bucket"
        for command, model in how.items():
            out = str(tmp_path / f"{command}.tif")
            more = few if command == "forecast" else []
            words = ["--out", out, "--model", str(model), *more]
            assert run([command, f"{base}/place_2016.tif", *words]) == 0
            assert run([command, f"{base}/none_2016.tif", *words, "--overwrite"]) == 2
            said = capsys.readouterr().err.splitlines()[-1]
            assert "found nothing at" in said
            assert f"{base}/none_2016.tif" in said
    with rasterio.open(tmp_path / "upscale.tif") as dataset:
        assert dataset.shape == (512, 512)
    assert (tmp_path / "forecast.tif" / "forecast_2017.tif").exists()


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda s: {"net_g": s},
        lambda s: {"model": s},
        lambda s: {"state_dict": {f"generator.{k}": v for k, v in s.items()}},
        lambda s: {f"net_g.{k}": v for k, v in s.items()} | {"net_d.a": s["conv_last.bias"]},
        lambda s: {f"params_ema.{k}": v for k, v in s.items()},
        lambda s: {**s, "n_averaged": torch.tensor(5)},
        lambda s: {f"module.{k}": v for k, v in s.items()} | {"n_averaged": torch.tensor(5)},
    ],
)  # fmt: skip
def test_checkpoints_of_the_esrgan_family(tmp_path: Path, wrapped: Callable[..., Any]) -> None:
    state = RRDBNet(num_blocks=1, num_features=8, growth_channels=4).state_dict()
    torch.save(wrapped(dict(state)), tmp_path / "a.pth")
    network = read_public_checkpoint(tmp_path / "a.pth", allow_pickle=True)
    assert torch.equal(network.state_dict()["conv_last.bias"], state["conv_last.bias"])


def test_past_images_of_other_ground_are_not_shown(tmp_path: Path) -> None:
    place = Affine(10, 0, 700_000, 0, -10, 5_000_000)
    result = make_result(tmp_path / "result")
    past = tmp_path / "past_2010.tif"
    with rasterio.open(result / "present_2020.tif") as present:
        crs, size = present.crs, present.shape
    wide = np.resize(noise(side=80), (3, *size))
    write(past, wide, transform=place, crs=crs)
    with pytest.raises(NoOverlapError):
        animate_folder(result, tmp_path / "film.gif", past=[past])


@pytest.mark.parametrize("seconds", [0.1, 0.125, 0.33, 1.0, 2.55])
def test_films_last_as_long_as_was_asked(tmp_path: Path, seconds: float) -> None:
    frames = [Frame(np.full((64, 64, 3), 99, np.uint8), 2020 + n, forecast=False) for n in range(3)]
    animate(frames, tmp_path / "film.mp4", seconds_per_year=seconds, max_size=64)
    with av.open(str(tmp_path / "film.mp4")) as film:
        stream = film.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(4 * seconds, abs=0.021)


def test_a_range_that_8_bit_values_never_reach_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a_2016.tif", noise())
    with pytest.raises(ValueRangeError, match="range each"):
        RasterSource.open(path, value_range=(0, 3000))


def test_films_with_transparent_parts_are_refused(tmp_path: Path, bicubic_model: str) -> None:
    for name, opacity in (("clear", 0), ("opaque", 255)):
        pictures = []
        for shade in (40, 90):
            pixels = np.full((16, 16, 4), shade, np.uint8)
            pixels[..., 3] = 255
            pixels[:4, :, 3] = opacity
            pictures.append(Image.fromarray(pixels))
        pictures[0].save(
            tmp_path / f"{name}.png", save_all=True, append_images=pictures[1:], duration=200
        )
    enlarge(tmp_path / "opaque.png", tmp_path / "opaque.mp4", bicubic_model)
    with pytest.raises(RequestError, match="without transparency"):
        enlarge(tmp_path / "clear.png", tmp_path / "clear.mp4", bicubic_model)
    assert not list(tmp_path.glob(".*"))


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a_2016.tif", noise(5), crs=None, transform=None, photometric="minisblack"
    )
    request = ForecastRequest(images=(path,), out=tmp_path / "out")
    said = " ".join(assumptions(request, open_images([path])))
    for part in ("bands 1, 2, 3", "0 is black", "of 2016-01-01", "no georeference"):
        assert part in said
    named = write(tmp_path / "b_2016.tif", noise(4))
    request = ForecastRequest(
        images=(named,), out=tmp_path / "out", year=2016, value_range=(0, 255)
    )
    assert assumptions(request, open_images([named], year=2016)) == []


def test_forecast_takes_a_sensor(tmp_path: Path) -> None:
    data = noise(4, top=3000)
    path = write(tmp_path / "s2_2016.tif", data)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("B02", "B03", "B04", "B08")
    start = open_images([path], sensor="sentinel-2-l2a").start
    assert start.bands == (3, 2, 1)
    assert "--sensor" in get_help("forecast")


def get_help(command: str) -> str:
    from typer.testing import CliRunner

    from app.cli.commands import app

    return CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output


def test_without_a_terminal_progress_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        for done in range(1, 101):
            progress("forecasting", done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "forecasting 1 of 100"
    assert lines[-1] == "forecasting 100 of 100"
    assert len(lines) <= 12
