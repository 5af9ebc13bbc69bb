"""Files that ask for more than a machine has are refused before it is given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio

from app.runs import ServerSettings
from forecast.network.unet import ChangeUNet
from forecast.pretrained import load_model
from preprocessing.errors import ModelFolderError, RequestError, UnreadableRasterError
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.opening import check_upload
from preprocessing.rasters.picture import read_picture
from sr.network.pretrained import load_network
from sr.network.rrdb import RRDBNet


def sparse(path: Path, side: int, **options: Any) -> Path:
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, sparse_ok=True, **options):
        pass
    return path


def test_an_upload_of_too_many_pixels_or_bands_is_refused(tmp_path: Path) -> None:
    tiles = {"tiled": True, "blockxsize": 4096, "blockysize": 4096}
    path = sparse(tmp_path / "a_2018.tif", 200_000, **tiles)
    with pytest.raises(RequestError, match=r"25 megapixels .* 200000 x 200000"):
        check_upload(path, most_pixels=ServerSettings().pixels)
    with rasterio.open(
        tmp_path / "b.tif", "w", driver="GTiff", height=2, width=2, count=65, dtype="uint8"
    ):
        pass
    with pytest.raises(RequestError, match="65 bands"):
        check_upload(tmp_path / "b.tif", most_pixels=ServerSettings().pixels)


def test_blocks_that_do_not_go_into_memory_are_refused(tmp_path: Path) -> None:
    tiles = {"tiled": True, "blockxsize": 40_000, "blockysize": 40_000}
    path = sparse(tmp_path / "a_2018.tif", 100_000, **tiles, bigtiff="yes", compress="deflate")
    with pytest.raises(UnreadableRasterError, match="blocks of 40000 x 40000 pixels, 4577 MiB"):
        RasterSource.open(path)


def test_a_picture_that_does_not_go_into_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    sparse(path, 20_000, tiled=True)
    with pytest.raises(UnreadableRasterError, match="fits into memory"):
        read_picture(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("block_out_channels", [4096, 4096, 4096]),
        ("block_out_channels", [10**9]),
        ("layers_per_block", 10**7),
        ("regional_noise", 10**12),
    ],
)
def test_forecasters_wider_than_their_weights_are_refused(
    tiny_model_folder: Path, tmp_path: Path, name: str, value: object
) -> None:
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, name: value}))
    with pytest.raises(RequestError):
        load_model(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_features", 4096),
        ("num_features", 10**9),
        ("num_blocks", 10**9),
        ("growth_channels", "many"),
        ("in_channels", True),
    ],
)
def test_upscalers_wider_than_their_weights_are_refused(
    bicubic_model: str, tmp_path: Path, name: str, value: object
) -> None:
    folder = shutil.copytree(bicubic_model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, name: value}))
    with pytest.raises((ModelFolderError, RequestError)):
        load_network(folder)


@pytest.mark.parametrize(
    "build",
    [lambda: RRDBNet(num_blocks=0), lambda: ChangeUNet(block_out_channels=(8, 0))],
)
def test_networks_of_nothing_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(RequestError, match="of 1 to"):
        build()
