"""Which way is up: the same for everything that reads an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from upscale_cases import request
from written_rasters import noise

from app.comparison.images import find_images
from app.comparison.request import ComparisonRequest
from app.upscaling.run import upscale
from forecast.region.images import open_images
from preprocessing.rasters.image_source import Reading
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.orientation import stored_window, turned
from preprocessing.rasters.picture import is_picture, read_picture
from preprocessing.rasters.window import Window

SHOWN_ON_ITS_SIDE = (5, 6, 7, 8)
_KEPT = {".webp": {"lossless": True}, ".jpg": {"subsampling": 0, "quality": 95}}
_DECODERS = 3  # Decoders of JPEG differ in rounding.


def photo(path: Path, orientation: int) -> np.ndarray:
    """A picture that is to be turned; returns it as it is shown, `(3, h, w)`."""
    picture = Image.fromarray(np.moveaxis(noise(side=80)[:, :64], 0, -1))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if path.suffix == ".tif":
        picture.save(path, tiffinfo={0x0112: orientation})
    else:
        picture.save(path, exif=exif, **(_KEPT.get(path.suffix, {})))
    picture = Image.open(path)  # as decoded
    stored = np.asarray(picture if path.suffix != ".tif" else _stored(path))
    as_if = Image.fromarray(stored)
    as_if.getexif()[0x0112] = orientation
    return np.moveaxis(np.asarray(ImageOps.exif_transpose(as_if)), -1, 0)


def _stored(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return np.moveaxis(dataset.read(), 0, -1)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_reader_takes_a_picture_as_it_is_shown(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    path = tmp_path / f"photo_2016{suffix}"
    shown = photo(path, orientation)
    assert np.array_equal(read_picture(path).colours, shown)
    source = RasterSource.open(path)
    assert (source.grid.height, source.grid.width) == shown.shape[1:]
    whole = source.read()
    assert np.abs(255 * whole.data - shown).max() <= _DECODERS
    part = Window(-3, 50, 40, 40)
    assert np.array_equal(source.read(part).data[:, 3:, :10], whole.data[:, :37, 50:60])
    assert open_images([path]).start.grid.height == shown.shape[1]
    for reading in (Reading(), Reading(bands=(1, 2, 3))):
        (image,) = find_images(
            [str(path)], ComparisonRequest(images=(str(path),), out=tmp_path, reading=reading)
        )
        used = image.read()
        assert np.abs(255 * used - np.moveaxis(shown, 0, -1)).max() <= _DECODERS


@given(
    orientation=st.integers(1, 8),
    row=st.integers(0, 4),
    col=st.integers(0, 3),
    height=st.integers(1, 3),
    width=st.integers(1, 2),
)
def test_windows_are_found_where_they_are_stored(
    orientation: int, row: int, col: int, height: int, width: int
) -> None:
    shown_size = {"height": 7, "width": 5}
    sides = (5, 7) if orientation in SHOWN_ON_ITS_SIDE else (7, 5)
    stored = np.arange(35).reshape(sides)
    window = Window(row, col, height, width)
    part = stored_window(window, orientation, **shown_size)
    assert np.array_equal(
        turned(stored[part.slices], orientation), turned(stored, orientation)[window.slices]
    )


def test_georeferenced_rasters_are_not_turned(tmp_path: Path) -> None:
    path = tmp_path / "photo_2016.jpg"
    shown = photo(path, 6)
    path.with_suffix(".jgw").write_text("1\n0\n0\n-1\n100\n200\n")
    source = RasterSource.open(path)
    assert (source.grid.width, source.grid.height) == shown.shape[1:]


def test_a_raster_that_is_turned_once_is_not_turned_again(
    tmp_path: Path, bicubic_model: str
) -> None:
    pixels = np.moveaxis(noise(side=24)[:, :16], 0, -1)
    source, out = tmp_path / "a.tif", tmp_path / "x4.tif"
    nodata = 42113
    Image.fromarray(pixels).save(source, tiffinfo={0x0112: 6, nodata: "7"})
    assert not is_picture(source)
    upscale(request(source, out, bicubic_model))
    with rasterio.open(out) as made:
        assert made.shape == (4 * 24, 4 * 16)
        means = made.read().reshape(3, 24, 4, 16, 4).mean(axis=(2, 4))
    upright = turned(np.moveaxis(pixels, -1, 0), 6).astype(float)
    seen = (upright != 7).any(axis=0)
    assert np.abs(means - upright)[:, seen].mean() < 8
    assert RasterSource.open(out, every_band=True).orientation == 1
