"""Maps of what a result adds: against block means and interpolation of whole pictures."""

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
from numpy.typing import NDArray
from pictures import picture
from PIL import Image
from rio_cogeo.cogeo import cog_validate
from upscale_cases import bicubic_network, made_network, request

from app.cli.entry import run
from app.upscaling.run import upscale
from preprocessing.errors import NoValidPixelsError, OutputExistsError, RequestError
from preprocessing.rasters.window import Window
from sr.network.rrdb import bicubic_upsample
from sr.upscale import raster as upscale_raster
from sr.upscale.bands import UpscaleOptions, Upscaler
from sr.upscale.invention import whole_maps, window_maps

Values = NDArray[np.float32]


def _low(height: int = 20, width: int = 24) -> Values:
    return picture(height, width).astype(np.float32) / 255


def _enlarged(low: Values, outscale: float = 4) -> Values:
    options = UpscaleOptions(outscale=outscale)
    return Upscaler(bicubic_network(), options).array(low, exact=True)


def test_maps_at_four_times_by_hand() -> None:
    low = _low()
    result = np.random.default_rng(0).random((3, 80, 96), dtype=np.float32)
    consistency, added = whole_maps(result, low)
    means = result.reshape(3, 20, 4, 24, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(consistency, np.abs(means - low).mean(axis=0), atol=1e-6)
    mirrored = np.pad(low, ((0, 0), (8, 8), (8, 8)), mode="reflect")
    smooth = bicubic_upsample(torch.from_numpy(mirrored)[None], 4)[0, :, 32:-32, 32:-32].numpy()
    square = np.square(result - smooth).reshape(3, 20, 4, 24, 4).mean(axis=(0, 2, 4))
    np.testing.assert_allclose(added, np.sqrt(square), atol=1e-6)


@pytest.mark.parametrize("outscale", [1, 2, 2.5, 4, 6])
def test_interpolation_adds_nothing_and_an_offset_is_not_consistent(outscale: float) -> None:
    low = _low()
    smooth = _enlarged(low, outscale)
    before = whole_maps(smooth, low)
    assert before[1].max() < 1e-6
    consistency, added = whole_maps(smooth + np.float32(0.1), low)
    np.testing.assert_allclose(added, 0.1, atol=1e-6)
    assert np.abs(consistency - 0.1).max() <= before[0].max() + 1e-6


def test_one_false_block_is_seen_where_it_is() -> None:
    low = _low()
    blocky = low.repeat(4, axis=1).repeat(4, axis=2)
    blocky[1, 8:12, 20:24] -= 0.3  # one band of three
    consistency = whole_maps(blocky, low)[0]
    assert consistency[2, 5] == pytest.approx(0.1, rel=1e-4)
    consistency[2, 5] = 0
    assert consistency.max() < 1e-6


@given(
    row=st.integers(0, 19),
    col=st.integers(0, 23),
    size=st.integers(1, 9),
    outscale=st.sampled_from([1.0, 2.5, 4.0, 7.3]),
)
def test_maps_of_a_window_are_those_of_the_whole(
    row: int, col: int, size: int, outscale: float
) -> None:
    low = _low()
    shape = (3, round(20 * outscale), round(24 * outscale))
    result = np.random.default_rng(0).random(shape, dtype=np.float32)
    window = Window(row, col, min(size, 20 - row), min(size, 24 - col))
    part = window_maps(
        lambda inside: low[(slice(None), *inside.slices)],
        lambda inside: result[(slice(None), *inside.slices)],
        window,
        shape=(20, 24),
        out_shape=shape[1:],
    )
    assert part is not None
    whole = whole_maps(result, low)[(slice(None), *window.slices)]
    np.testing.assert_allclose(part, whole, atol=1e-5)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network that adds something."""
    folder = tmp_path_factory.mktemp("model")
    made_network().save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("outscale", [4, 2.5])
def test_maps_of_a_raster(
    tmp_path: Path, make_raster: Callable[..., Path], model: str, outscale: float
) -> None:
    valid = np.ones((60, 70), bool)
    valid[:30, :25] = False
    source = make_raster(height=60, width=70, dtype="uint16", nodata=0, valid=valid, scale=10)
    how: dict[str, Any] = {"outscale": outscale, "value_range": (0, 3000), "keep_means": False}
    out = tmp_path / "out.tif"
    maps = tmp_path / "out.tif.maps.tif"
    assert upscale(request(source, out, model, maps=True, **how)) == [out, maps]
    assert cog_validate(maps)[0]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([source.name, out.name, maps.name])
    with rasterio.open(source) as low, rasterio.open(out) as high, rasterio.open(maps) as found:
        assert (found.transform, found.crs, found.shape) == (low.transform, low.crs, low.shape)
        assert found.descriptions == ("consistency", "added detail")
        consistency, added = found.read()
        before, after = low.read().astype(float), high.read().astype(float)
    for band in (consistency, added):
        assert np.array_equal(np.isnan(band), ~valid)
    if outscale == 4:
        means = after.reshape(3, 60, 4, 70, 4).mean(axis=(2, 4))
        expected = np.abs(means - before).mean(axis=0)
        np.testing.assert_allclose(consistency[valid], expected[valid], atol=0.01)
        assert expected[valid].mean() > 1  # far above what rounding does
    # Nodata did not bleed: zeros below it would be an error of hundreds at its rim.
    inner = np.zeros_like(valid)
    inner[35:55, 30:65] = True
    rim = valid.copy()
    rim[32:] = rim[:, 27:] = False
    assert np.nanmax(added[rim | inner]) < 3 * np.nanmax(added[inner])


def test_maps_of_interpolation_show_rounding_only(tmp_path: Path, bicubic_model: str) -> None:
    pixels = np.moveaxis(picture(40, 50), 0, -1)
    alpha = np.full((40, 50, 1), 255, np.uint8)
    alpha[:10] = 0
    Image.fromarray(np.concatenate([pixels, alpha], axis=2)).save(tmp_path / "in.png")
    command = ["upscale", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png")]
    assert run([*command, "-n", bicubic_model, "--maps"]) == 0
    with rasterio.open(tmp_path / "out.png.maps.tif") as found:
        consistency, added = found.read()
        assert (found.crs, found.transform.is_identity) == (None, True)
    assert np.isnan(added[:10]).all()
    # Rounding to bytes has a standard deviation of 0.29, bfloat16 about as much again.
    assert added[10:].max() < 1.5
    assert 0 < consistency[10:].max() < 20


def test_killed_while_mapping(
    tmp_path: Path, make_raster: Callable[..., Path], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = make_raster(height=40, width=40), tmp_path / "out.tif"
    upscale(request(source, tmp_path / "once.tif", model, maps=True))

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upscale_raster, "write_maps", stop)
        with pytest.raises(KeyboardInterrupt):
            upscale(request(source, out, model, maps=True))
    assert not out.exists()
    stages = []
    upscale(
        request(source, out, model, maps=True, resume=True),
        progress=lambda stage, *_: stages.append(stage),
    )
    assert stages[0] == "mapping"
    with (
        rasterio.open(tmp_path / "out.tif.maps.tif") as first,
        rasterio.open(tmp_path / "once.tif.maps.tif") as second,
    ):
        assert np.array_equal(first.read(), second.read())
    assert not list(tmp_path.glob(".*"))


def test_maps_belong_to_their_result(
    tmp_path: Path, make_raster: Callable[..., Path], bicubic_model: str
) -> None:
    source, out = make_raster(height=20, width=20), tmp_path / "out.tif"
    maps = tmp_path / "out.tif.maps.tif"
    upscale(request(source, out, bicubic_model))
    with pytest.raises(OutputExistsError, match="without --maps"):
        upscale(request(source, out, bicubic_model, maps=True, resume=True))
    upscale(request(source, out, bicubic_model, maps=True, overwrite=True))
    assert upscale(request(source, out, bicubic_model, maps=True, resume=True)) == [out, maps]
    upscale(request(source, out, bicubic_model, overwrite=True))
    assert not maps.exists()  # they were those of the replaced result
    maps.write_bytes(b"of another program")
    out.unlink()
    with pytest.raises(OutputExistsError, match=r"maps\.tif"):
        upscale(request(source, out, bicubic_model))


def test_nothing_is_left_of_what_has_no_maps(
    tmp_path: Path, make_raster: Callable[..., Path], bicubic_model: str
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    with pytest.raises(RequestError, match="for --maps"):
        upscale(request(tmp_path / "film.mp4", tmp_path / "out.mp4", bicubic_model, maps=True))
    empty = make_raster(height=20, width=20, nodata=0, valid=np.zeros((20, 20), bool))
    with pytest.raises(NoValidPixelsError):
        upscale(request(empty, tmp_path / "out.tif", bicubic_model, maps=True))
    assert not list(tmp_path.glob("*out*"))
