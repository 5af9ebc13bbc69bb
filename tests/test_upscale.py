"""Tiled upscaling: no seams at any size and scale, alpha, 16 bit, rasters, resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from rio_cogeo.cogeo import cog_validate
from torch import Tensor

from app.cli.entry import run
from app.upscaling import UpscaleRequest, upscale
from preprocessing.errors import LandcastError, OutputExistsError, RequestError
from preprocessing.grid import Window
from preprocessing.picture import read_picture
from preprocessing.raw_raster import RawRaster
from sr import inference
from sr.inference import upscale_batch
from sr.resampling import axis_weights
from sr.rrdb import RRDBNet
from sr.tile_plan import plan_axis
from sr.upscale import UpscaleOptions, Upscaler, band_groups
from sr.upscale_raster import RasterJob
from tests.conftest import picture


def _network(seed: int = 0) -> RRDBNet:
    torch.manual_seed(seed)
    network: RRDBNet = RRDBNet(num_blocks=1, num_features=8, growth_channels=4, global_skip=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    network.eval()
    return network


def _bicubic() -> RRDBNet:
    """An untrained network with a global skip interpolates."""
    network: RRDBNet = RRDBNet(num_blocks=1, num_features=4, growth_channels=4, global_skip=True)
    network.eval()
    return network


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sr-model")
    _bicubic().save_pretrained(folder)
    return str(folder)


def _request(source: Path, out: Path, model: str, **how: Any) -> UpscaleRequest:
    given = {key: how.pop(key) for key in ("resume", "overwrite", "ext") if key in how}
    keep = how.pop("keep_means", None)
    value_range = how.pop("value_range", None)
    options = UpscaleOptions(**how)
    return UpscaleRequest(
        source, out, options, keep_means=keep, model=model, value_range=value_range, **given
    )


@pytest.mark.parametrize("outscale", [1, 1.5, 2, 3.3, 4, 6, 8])
@pytest.mark.parametrize(("height", "width"), [(70, 53), (1, 90), (3, 2)])
def test_tiled_equals_whole(outscale: float, height: int, width: int) -> None:
    image = picture(height, width).astype(np.float32) / 255

    def upscaled(**how: Any) -> Any:
        return Upscaler(_network(), UpscaleOptions(outscale=outscale, **how)).array(
            image, exact=True
        )

    whole = upscaled(tile=0)
    assert whole.shape == (3, max(1, round(outscale * height)), round(outscale * width))
    assert np.abs(upscaled(tile=20) - whole).max() < 1e-3 / 255
    if height > 20 and outscale >= 2:  # without padding there are seams
        assert np.abs(upscaled(tile=20, tile_pad=0) - whole).max() > 1 / 255


def test_shipped_network_shows_no_seams() -> None:
    from sr.pretrained import load_network

    network = load_network(device=torch.device("cpu"))
    image = picture(16, 48, seed=3).astype(np.float32) / 255
    whole, tiled = (
        Upscaler(network, UpscaleOptions(tile=tile, fp32=True)).array(image) for tile in (0, 24)
    )
    assert np.abs(whole - tiled).max() < 0.25 / 255


@given(
    length=st.integers(1, 400),
    outscale=st.floats(1, 8),
    tile=st.integers(16, 90),
    pad=st.integers(0, 60),
)
def test_tiles_of_an_axis_add_up_to_one(length: int, outscale: float, tile: int, pad: int) -> None:
    size = max(1, round(length * outscale))
    plan = plan_axis(length, size, tile=tile, pad=pad, edge_pad=3)
    total = np.zeros(size)
    for stretch, following in zip(plan, [*plan[1:], None], strict=True):
        total[stretch.begin : stretch.end] += stretch.weight
        # What is called done is not touched again.
        assert stretch.done == (size if following is None else following.begin)
        assert -3 <= stretch.first < stretch.last <= length + 3
    assert np.allclose(total, 1, atol=1e-6)


def test_area_weights_keep_means_and_lanczos_keeps_lines() -> None:
    values = np.random.default_rng(0).random(24)
    halved = axis_weights(0, 12, step=2, first=0, last=24) @ values
    assert np.allclose(halved, values.reshape(12, 2).mean(axis=1))
    thirds = axis_weights(0, 16, step=1.5, first=0, last=24) @ values
    assert thirds[0] == pytest.approx((values[0] + values[1] / 2) / 1.5)
    line = axis_weights(12, 36, step=0.5, first=0, last=24) @ np.arange(24.0)
    # Lanczos windows are not exact for a line: 1 % of a pixel, known from the kernel.
    assert np.allclose(line, (np.arange(12, 36) + 0.5) / 2 - 0.5, atol=0.02)


def test_continuing_a_row_later_gives_the_same() -> None:
    image = picture(90, 50).astype(np.float32) / 255
    upscaler = Upscaler(_network(), UpscaleOptions(tile=20))

    def blocks(start: int) -> list[Any]:
        return [
            (b.window, b.pixels)
            for b in upscaler.stream(
                lambda window: image[(slice(None), *window.slices)],
                channels=3,
                height=90,
                width=50,
                exact=True,
                start_row=start,
            )
            if b.row >= 3
        ]

    for (window, pixels), (again, same) in zip(blocks(0), blocks(3), strict=True):
        assert window == again
        assert np.array_equal(pixels, same)


def test_kept_means() -> None:
    image = picture(40, 40).astype(np.float32) / 255
    for keep in (True, False):
        options = UpscaleOptions(tile=20, consistent=keep)
        result = Upscaler(_network(), options).array(image, exact=True)
        error = np.abs(result.reshape(3, 40, 4, 40, 4).mean(axis=(2, 4)) - image).max()
        assert (error < 1e-4) == keep


def test_bands_by_threes_then_alone() -> None:
    assert band_groups(7, 3) == [(0, 1, 2), (3, 4, 5), (6,)]
    assert band_groups(2, 3) == [(0,), (1,)]
    assert band_groups(2, 1) == [(0,), (1,)]


@pytest.mark.parametrize("fault", [float("nan"), -1e4])
def test_unusable_bfloat16_is_repeated(monkeypatch: pytest.MonkeyPatch, fault: float) -> None:
    network, image = _network(), torch.full((1, 3, 24, 24), 0.5)
    expected = upscale_batch(network, image, half=False)
    calls = []

    def broken(_: Any, __: Any, output: Tensor) -> Tensor:
        calls.append(None)
        if len(calls) == 1:
            output = output.clone()
            output[..., :16, :16] = fault
        return output

    monkeypatch.setattr(inference, "native_bfloat16", lambda _: True)
    monkeypatch.setattr(inference, "autocast", lambda _: torch.autocast("cpu", enabled=False))
    network.register_forward_hook(broken)
    assert torch.equal(upscale_batch(network, image), expected)
    assert len(calls) == 2


@pytest.mark.parametrize(("dtype", "high"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pictures_keep_their_kind(
    tmp_path: Path, model: str, dtype: str, high: int, bands: int, suffix: str
) -> None:
    stored = (np.resize(picture(30, 40), (bands, 30, 40)).astype(float) / 255 * high).astype(dtype)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    _write(tmp_path / "in.png", stored, icc)
    out = tmp_path / f"out{suffix}"
    upscale(_request(tmp_path / "in.png", out, model))
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
    from preprocessing.picture import write_picture

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
def test_lossy_formats(tmp_path: Path, model: str, suffix: str) -> None:
    pixels = np.moveaxis(picture(24, 32), 0, -1)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    source = tmp_path / f"in{suffix}"
    Image.fromarray(pixels).save(source, icc_profile=icc, exif=exif, quality=95)
    upscale(_request(source, tmp_path / f"out{suffix}", model, outscale=2))
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.info["icc_profile"] == icc
        assert image.getexif().get(0x0112, 1) == 1
        result = np.asarray(image).astype(float)
    assert result.shape == (64, 48, 3)
    upright = np.rot90(pixels, -1).astype(float)
    assert np.abs(result.reshape(32, 2, 24, 2, 3).mean(axis=(1, 3)) - upright).mean() < 6


@pytest.mark.parametrize("way", ["network", "bicubic"])
def test_alpha_shows_no_fringe(tmp_path: Path, model: str, way: Any) -> None:
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[..., :3] = (255, 0, 255)  # hidden, where transparent
    rgba[:, :10] = (40, 120, 60, 255)
    Image.fromarray(rgba).save(tmp_path / "in.png")
    out = tmp_path / "out.png"
    upscale(_request(tmp_path / "in.png", out, model, alpha_upsampler=way))
    result = read_picture(out)
    assert result.alpha is not None
    visible = result.alpha > 0
    assert np.abs(result.colours[:, visible].T.astype(int) - (40, 120, 60)).max() <= 1
    assert (result.alpha[:, :36] == 255).all()
    assert (result.alpha[:, 44:] < 8).all()


def test_palettes_become_colours(tmp_path: Path, model: str) -> None:
    image = Image.fromarray(np.moveaxis(picture(20, 20), 0, -1)).quantize(16)
    image.save(tmp_path / "in.png", transparency=3)
    upscale(_request(tmp_path / "in.png", tmp_path / "out.png", model))
    with Image.open(tmp_path / "out.png") as result:
        assert (result.mode, result.size) == ("RGBA", (80, 80))


def test_files_that_cannot_be_upscaled(tmp_path: Path, model: str) -> None:
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
            upscale(_request(tmp_path / name, tmp_path / out, model))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("outscale", [4, 2.5])
def test_raster_keeps_grid_nodata_bands(
    tmp_path: Path, make_raster: Callable[..., Path], model: str, outscale: float
) -> None:
    valid = np.ones((60, 70), bool)
    valid[:30, :25] = False
    source = make_raster(
        height=60,
        width=70,
        dtype="uint16",
        count=5,
        nodata=0,
        valid=valid,
        scale=10,
        tags={"VALUE_RANGE": "0,3000", "sensor": "made"},
    )
    with rasterio.open(source, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.descriptions = tuple("abcde")
        dataset.scales = (1e-4,) * 5
        dataset.write(np.where(valid, 1500, 0).astype(np.uint16), 5)
    out = tmp_path / "out.tif"
    upscale(_request(source, out, model, outscale=outscale, tile=32, keep_means=False))
    assert cog_validate(out)[0]
    with rasterio.open(source) as low, rasterio.open(out) as high:
        assert (high.count, high.dtypes[0], high.nodata) == (5, "uint16", 0)
        assert (high.height, high.width) == (round(60 * outscale), round(70 * outscale))
        assert high.crs == low.crs
        assert high.bounds == pytest.approx(low.bounds)
        assert high.descriptions == tuple("abcde")
        assert high.scales == (1e-4,) * 5
        assert high.tags()["VALUE_RANGE"] == "0,3000"
        before, after = low.read().astype(float), high.read().astype(float)
    rows = ((np.arange(after.shape[1]) + 0.5) / outscale).astype(int)
    cols = ((np.arange(after.shape[2]) + 0.5) / outscale).astype(int)
    there = valid[rows][:, cols]
    assert ((after == 0) == ~there).all()
    assert np.abs(after - before[:, rows][:, :, cols])[:, there].max() < 300
    # Nodata did not bleed: zeros would pull the flat band down at their rim.
    assert np.abs(after[4][there] - 1500).max() <= 1


def test_raster_keeps_masks_alpha_and_not_a_number(
    tmp_path: Path, make_raster: Callable[..., Path], model: str
) -> None:
    valid = np.ones((40, 40), bool)
    valid[10:20] = False
    masked = make_raster("masked.tif", height=40, width=40, valid=valid)
    upscale(_request(masked, tmp_path / "a.tif", model))
    with rasterio.open(tmp_path / "a.tif") as high:
        assert np.array_equal(high.dataset_mask() > 0, valid.repeat(4, 0).repeat(4, 1))
    real = make_raster("real.tif", height=40, width=40, dtype="float32", count=1, scale=1 / 255)
    with rasterio.open(real, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        values = dataset.read()
        values[:, ~valid] = np.nan
        dataset.write(values)
    upscale(_request(real, tmp_path / "b.tif", model, value_range=(0, 1)))
    with rasterio.open(tmp_path / "b.tif") as high:
        assert np.array_equal(np.isfinite(high.read(1)), valid.repeat(4, 0).repeat(4, 1))
        # Rasters keep their means unless told otherwise.
        means = high.read(1).reshape(40, 4, 40, 4).mean(axis=(1, 3))
    assert np.abs(means - values[0])[valid].max() < 1e-4
    with pytest.raises(RequestError, match="value-range"):
        upscale(_request(real, tmp_path / "c.tif", model))


def test_alpha_band_of_a_raster(
    tmp_path: Path, make_raster: Callable[..., Path], model: str
) -> None:
    source = make_raster("rgba.tif", height=20, width=20, count=4)
    alpha = np.full((20, 20), 255, np.uint8)
    alpha[:5] = 0
    with rasterio.open(source, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.colorinterp = (*dataset.colorinterp[:3], rasterio.enums.ColorInterp.alpha)
        dataset.write(alpha, 4)
    upscale(_request(source, tmp_path / "out.tif", model))
    with rasterio.open(tmp_path / "out.tif") as high:
        assert high.colorinterp[3] == rasterio.enums.ColorInterp.alpha
        assert np.array_equal(high.read(4), alpha.repeat(4, 0).repeat(4, 1))


def test_killed_run_continues(
    tmp_path: Path, make_raster: Callable[..., Path], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = make_raster(height=80, width=40), tmp_path / "out.tif"
    upscale(_request(source, tmp_path / "once.tif", model, tile=16))
    marks = RawRaster.mark
    monkeypatch.setattr(RawRaster, "mark", _stopping_at(3, marks))
    with pytest.raises(KeyboardInterrupt):
        upscale(_request(source, out, model, tile=16))
    assert not out.exists()
    monkeypatch.setattr(RawRaster, "mark", marks)
    with pytest.raises(OutputExistsError, match="--resume"):
        upscale(_request(source, out, model, tile=16))
    with pytest.raises(RequestError, match="other arguments"):
        upscale(_request(source, out, model, tile=20, resume=True))
    tiles: list[tuple[int, int]] = []
    upscale(
        _request(source, out, model, tile=16, resume=True),
        progress=lambda stage, done, total: (
            tiles.append((done, total)) if stage == "upscaling" else None
        ),
    )
    assert tiles[0] == (7, 15)  # two of five rows of three tiles were done
    with rasterio.open(out) as first, rasterio.open(tmp_path / "once.tif") as second:
        assert np.array_equal(first.read(), second.read())
    assert not list(tmp_path.glob(".*"))


def _stopping_at(row: int, mark: Callable[..., None]) -> Callable[..., None]:
    def stop(self: RawRaster, name: str, value: int) -> None:
        if value == row:
            raise KeyboardInterrupt
        mark(self, name, value)

    return stop


def test_folders(tmp_path: Path, make_raster: Callable[..., Path], model: str) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    make_raster(height=20, width=20).rename(folder / "raster.tif")
    Image.fromarray(np.moveaxis(picture(16, 16), 0, -1)).save(folder / "a.png")
    Image.fromarray(picture(16, 16)[0]).save(folder / "b.bmp")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not an image")
    with pytest.raises(RequestError, match=r"3 of 4 .*broken\.jpg"):
        upscale(_request(folder, out, model))
    names = ["a.png", "b.png", "raster.tif"]
    assert sorted(p.name for p in out.iterdir()) == names
    (folder / "broken.jpg").unlink()
    times = [(out / name).stat().st_mtime_ns for name in names]
    upscale(_request(folder, out, model, resume=True))
    assert [(out / name).stat().st_mtime_ns for name in names] == times
    Image.fromarray(picture(16, 16)[0]).save(folder / "a.bmp")
    with pytest.raises(RequestError, match="would become"):
        upscale(_request(folder, out, model, overwrite=True))


def test_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(LandcastError, match="free disk"):
        RawRaster(tmp_path, count=1, height=9, width=9, dtype="uint8")
    assert not list(tmp_path.iterdir())


def test_all_nodata_is_refused(
    tmp_path: Path, make_raster: Callable[..., Path], model: str
) -> None:
    source = make_raster(height=20, width=20, nodata=0, valid=np.zeros((20, 20), bool))
    with pytest.raises(RequestError, match="nodata"):
        upscale(_request(source, tmp_path / "out.tif", model))
    assert not (tmp_path / "out.tif").exists()


def test_other_ending_for_a_raster(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="\\.tif"):
        RasterJob(make_raster(), tmp_path / "out.png", Upscaler(_bicubic()))


def test_command(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.moveaxis(picture(16, 16), 0, -1)).save(tmp_path / "in.png")
    out = tmp_path / "out.png"
    command = ["upscale", str(tmp_path / "in.png"), "-o", str(out), "-n", model]
    assert run([*command, "-s", "2", "-t", "0", "--tile_pad", "10", "--fp32"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as image:
        assert image.size == (32, 32)
    assert run(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run([*command, "--overwrite", "-t", "5"]) == 2
    assert run([*command, "--overwrite", "--ext", "gif"]) == 2
