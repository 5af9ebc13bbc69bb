"""Files stored row by row: the copy gives the same pixels, is made when it pays, and goes."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_scenes import UTM
from prepare_cases import dated, write
from rasterio.errors import RasterioIOError

from preprocessing.errors import UnreadableRasterError
from preprocessing.pairs.store import PairStore
from preprocessing.preparation.run import prepare_pair
from preprocessing.preparation.tiled_copy import RowsImage, quick_windows
from preprocessing.rasters.image_source import FileImage
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.window import Window

HEIGHT, WIDTH = 200, 260


@pytest.fixture(autouse=True)
def _all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.rasters.image_source._HELD_PX", 0)


def rows_file(path: Path, kind: str) -> FileImage:
    """A file with invalid pixels, stored in rows."""
    rng = np.random.default_rng(3)
    count = 4 if kind in ("alpha", "png") else 3
    stored = rng.integers(1, 255, (count, HEIGHT, WIDTH)).astype(np.uint8)
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[30:90, 100:180] = True
    if count == 4:
        stored[3] = np.where(hidden, 0, 255)
    options: dict[str, Any] = {"driver": "PNG" if kind == "png" else "GTiff"}
    if kind == "nodata":
        stored[:, hidden] = 0
        options["nodata"] = 0
    if kind == "alpha":
        options.update(photometric="rgb", alpha="yes")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with rasterio.open(
            path.with_suffix(".png" if kind == "png" else ".tif"),
            "w",
            height=HEIGHT,
            width=WIDTH,
            count=count,
            dtype="uint8",
            crs=UTM,
            transform=Affine(10, 0, 500_000, 0, -10, 5_000_000),
            **options,
        ) as file:
            file.write(stored)
            if kind == "mask":
                file.write_mask(~hidden)
        return FileImage.of(RasterSource.open(file.name))


def copies(folder: Path) -> list[Path]:
    return list(folder.glob(".landcast-*"))


@pytest.mark.parametrize("kind", ["plain", "nodata", "alpha", "mask", "png"])
def test_a_copy_gives_the_same_pixels(kind: str, tmp_path: Path) -> None:
    plain = rows_file(tmp_path / "town_2016", kind)
    image = quick_windows(plain, tmp_path / "new" / "scratch")
    assert isinstance(image, RowsImage)
    windows = [
        Window(row, col, 70, 90) for row in range(-20, HEIGHT, 70) for col in range(-10, WIDTH, 90)
    ]
    for window in windows:
        got, wanted = image.read(window), plain.read(window)
        np.testing.assert_array_equal(got.data, wanted.data)
        np.testing.assert_array_equal(got.valid, wanted.valid)
        assert (got.name, got.date, got.grid) == (wanted.name, wanted.date, wanted.grid)
    assert image.read(Window(0, 0, HEIGHT, WIDTH)).valid.all() == (kind == "plain")
    assert len(copies(tmp_path / "new" / "scratch")) == 1
    del image
    gc.collect()
    assert not copies(tmp_path / "new" / "scratch")


@pytest.mark.parametrize(("kind", "reads"), [("plain", 5), ("png", 1)])
def test_a_copy_is_made_once_it_pays(kind: str, reads: int, tmp_path: Path) -> None:
    image = quick_windows(rows_file(tmp_path / "town_2016", kind), tmp_path / "scratch")
    # A PNG is decoded from its top each time.
    for _ in range(reads):
        image.read(Window(HEIGHT - 40, 0, 40, 10))
        assert not copies(tmp_path / "scratch")
    image.read(Window(HEIGHT - 40, 0, 40, 10))
    assert copies(tmp_path / "scratch")


def test_strips_are_decoded_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "town_2016.tif"
    stored = np.ones((3, HEIGHT, WIDTH), np.uint8)
    options = {"driver": "GTiff", "height": HEIGHT, "width": WIDTH, "dtype": "uint8", "crs": UTM}
    with rasterio.open(path, "w", count=3, blockysize=HEIGHT, compress="lzw", **options) as file:
        file.write(stored)
        assert file.block_shapes[0] == (HEIGHT, WIDTH)
    image = quick_windows(FileImage.of(RasterSource.open(path)), tmp_path / "scratch")
    image.read(Window(0, 0, 8, 8))
    assert not copies(tmp_path / "scratch")
    image.read(Window(0, 0, 8, 8))
    assert copies(tmp_path / "scratch")


def test_other_files_are_read_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_file(tmp_path / "town_2016", "plain")
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64}
    with (
        rasterio.open(rows.source.path) as source,
        rasterio.open(tmp_path / "tiled_2016.tif", "w", **{**source.profile, **profile}) as file,
    ):
        file.write(source.read())
    tiled = FileImage.of(RasterSource.open(tmp_path / "tiled_2016.tif"))
    assert quick_windows(tiled, tmp_path) is tiled
    monkeypatch.setattr("preprocessing.rasters.image_source._HELD_PX", HEIGHT * WIDTH)
    assert quick_windows(rows, tmp_path) is rows


def test_no_room_for_a_copy_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise RasterioIOError("disk full")

    monkeypatch.setattr("preprocessing.preparation.tiled_copy.copy", full)
    image = quick_windows(rows_file(tmp_path / "town_2016", "png"), tmp_path / "scratch")
    image.read(Window(HEIGHT - 8, 0, 8, 8))
    with pytest.raises(UnreadableRasterError, match=r"town_2016\.png and room .* got disk full"):
        image.read(Window(HEIGHT - 8, 0, 8, 8))
    assert not copies(tmp_path / "scratch")


def test_preparation_reads_from_copies_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def noted(*args: Any, **options: Any) -> None:
        made.append(args[1])
        rasterio.shutil.copy(*args, **options)

    monkeypatch.setattr("preprocessing.preparation.tiled_copy.copy", noted)
    monkeypatch.setattr("preprocessing.preparation.tile_pass._BLOCK_PX", 128)
    files = [write(tmp_path / "in" / f"p_{y}.png", dated(y), crs=False) for y in (2016, 2018)]
    report = prepare_pair(*files, tmp_path / "out" / "p.zarr")
    assert report.kept == len(PairStore(tmp_path / "out" / "p.zarr")) == 4
    assert len(made) == 2
    gc.collect()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"p.zarr", "p.report"}
