"""Upscaling pictures: grey and colour, alpha, 16 bit, lossy formats, palettes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import picture
from PIL import Image, ImageCms
from scipy.ndimage import binary_dilation, binary_erosion
from upscale_cases import request

from app.upscaling.run import upscale
from preprocessing.errors import RequestError
from preprocessing.rasters.picture import read_picture
from preprocessing.rasters.window import Window


@pytest.mark.parametrize(("dtype", "high"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pictures_keep_their_kind(
    tmp_path: Path, bicubic_model: str, dtype: str, high: int, bands: int, suffix: str
) -> None:
    stored = (np.resize(picture(30, 40), (bands, 30, 40)).astype(float) / 255 * high).astype(dtype)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    _write(tmp_path / "in.png", stored, icc)
    out = tmp_path / f"out{suffix}"
    upscale(request(tmp_path / "in.png", out, bicubic_model))
    result = read_picture(out)
    assert result.colours.dtype == dtype
    assert result.colours.shape == (3 if bands > 2 else 1, 120, 160)
    assert (result.alpha is None) == (bands in (1, 3))
    assert result.icc == icc
    means = result.colours.reshape(-1, 30, 4, 40, 4).mean(axis=(2, 4))
    # Bicubic: a few per cent at the edges, far from the error of a swapped or scaled band.
    assert np.abs(means - stored[: len(means)]).mean() < 0.02 * high
    if dtype == "uint16":  # no detour over 8 bits
        assert (result.colours % 257 != 0).any()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", out.name]


def _write(path: Path, stored: Any, icc: bytes) -> None:
    from preprocessing.rasters.picture import write_picture

    count, height, width = stored.shape
    write_picture(
        path,
        [(Window(0, 0, height, width), stored)],
        height=height,
        width=width,
        count=count,
        dtype=stored.dtype.name,
        icc=icc,
    )


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats(tmp_path: Path, bicubic_model: str, suffix: str) -> None:
    pixels = np.moveaxis(picture(24, 32), 0, -1)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    source = tmp_path / f"in{suffix}"
    Image.fromarray(pixels).save(source, icc_profile=icc, exif=exif, quality=95)
    upscale(request(source, tmp_path / f"out{suffix}", bicubic_model, outscale=2))
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.info["icc_profile"] == icc
        assert image.getexif().get(0x0112, 1) == 1
        result = np.asarray(image).astype(float)
    assert result.shape == (64, 48, 3)
    upright = np.rot90(pixels, -1).astype(float)
    assert np.abs(result.reshape(32, 2, 24, 2, 3).mean(axis=(1, 3)) - upright).mean() < 6


@pytest.mark.parametrize("way", ["network", "bicubic"])
def test_alpha_shows_no_fringe(tmp_path: Path, bicubic_model: str, way: Any) -> None:
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[..., :3] = (255, 0, 255)  # hidden, where transparent
    rgba[:, :10] = (40, 120, 60, 255)
    Image.fromarray(rgba).save(tmp_path / "in.png")
    out = tmp_path / "out.png"
    upscale(request(tmp_path / "in.png", out, bicubic_model, alpha_upsampler=way))
    result = read_picture(out)
    assert result.alpha is not None
    visible = result.alpha > 0
    assert np.abs(result.colours[:, visible].T.astype(int) - (40, 120, 60)).max() <= 1
    assert (result.alpha[:, :36] == 255).all()
    assert (result.alpha[:, 44:] < 8).all()


def test_alpha_has_no_echo_beside_its_edges(tmp_path: Path) -> None:
    """The shipped networks ring at hard edges; inside a disc alpha stays opaque all the same."""
    rows, cols = np.indices((48, 48))
    disc = np.hypot(rows - 23.5, cols - 23.5) < 16
    rgba = np.full((48, 48, 4), 128, np.uint8)
    rgba[..., 3] = np.where(disc, 255, 0)
    Image.fromarray(rgba).save(tmp_path / "in.png")
    upscale(request(tmp_path / "in.png", tmp_path / "out.png", "rrdb4-jpeg"))
    result = read_picture(tmp_path / "out.png")
    assert result.alpha is not None
    outside = ~binary_dilation(disc, np.ones((3, 3)))
    each = np.ones((4, 4), bool)
    inside = np.kron(binary_erosion(disc, np.ones((3, 3))), each)
    assert (result.alpha[inside] == 255).all()
    assert (result.alpha[np.kron(outside, each)] == 0).all()
    assert 0 < result.alpha[~inside].mean() < 255


def test_palettes_become_colours(tmp_path: Path, bicubic_model: str) -> None:
    image = Image.fromarray(np.moveaxis(picture(20, 20), 0, -1)).quantize(16)
    image.save(tmp_path / "in.png", transparency=3)
    upscale(request(tmp_path / "in.png", tmp_path / "out.png", bicubic_model))
    with Image.open(tmp_path / "out.png") as result:
        assert (result.mode, result.size) == ("RGBA", (80, 80))


def test_files_that_cannot_be_upscaled(tmp_path: Path, bicubic_model: str) -> None:
    frames = [Image.fromarray(np.full((9, 9, 3), v, np.uint8)) for v in (10, 200)]
    frames[0].save(tmp_path / "two.webp", save_all=True, append_images=frames[1:])
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
    cut = (tmp_path / "whole.png").read_bytes()[:6000]
    (tmp_path / "cut.png").write_bytes(cut)
    Image.fromarray(np.zeros((9, 9, 4), np.uint8)).save(tmp_path / "clear.png")
    before = sorted(tmp_path.iterdir())
    for name, out, words in (
        ("two.webp", "out.png", "2 frames"),
        ("cut.png", "out.png", "damaged"),
        ("clear.png", "out.jpg", "alpha"),
        ("whole.png", "out.gif", "ending in"),
        ("whole.png", "whole.png", "another name"),
        ("none.png", "out.png", "found no"),
    ):
        with pytest.raises(RequestError, match=words):
            upscale(request(tmp_path / name, tmp_path / out, bicubic_model))
    assert sorted(tmp_path.iterdir()) == before
