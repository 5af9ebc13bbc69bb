"""Upscaling rasters: grid, nodata, masks, alpha, any number of bands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate
from upscale_cases import bicubic_network, request

from app.upscaling.run import upscale
from preprocessing.errors import RequestError
from sr.upscale.bands import Upscaler
from sr.upscale.raster import RasterJob


@pytest.mark.parametrize("outscale", [4, 2.5])
def test_raster_keeps_grid_nodata_bands(
    tmp_path: Path, make_raster: Callable[..., Path], bicubic_model: str, outscale: float
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
    upscale(request(source, out, bicubic_model, outscale=outscale, tile=32, keep_means=False))
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
    tmp_path: Path, make_raster: Callable[..., Path], bicubic_model: str
) -> None:
    valid = np.ones((40, 40), bool)
    valid[10:20] = False
    masked = make_raster("masked.tif", height=40, width=40, valid=valid)
    upscale(request(masked, tmp_path / "a.tif", bicubic_model))
    with rasterio.open(tmp_path / "a.tif") as high:
        assert np.array_equal(high.dataset_mask() > 0, valid.repeat(4, 0).repeat(4, 1))
    real = make_raster("real.tif", height=40, width=40, dtype="float32", count=1, scale=1 / 255)
    with rasterio.open(real, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        values = dataset.read()
        values[:, ~valid] = np.nan
        dataset.write(values)
    upscale(request(real, tmp_path / "b.tif", bicubic_model, value_range=(0, 1)))
    with rasterio.open(tmp_path / "b.tif") as high:
        assert np.array_equal(np.isfinite(high.read(1)), valid.repeat(4, 0).repeat(4, 1))
        # Rasters keep their means unless told otherwise.
        means = high.read(1).reshape(40, 4, 40, 4).mean(axis=(1, 3))
    assert np.abs(means - values[0])[valid].max() < 1e-4
    with pytest.raises(RequestError, match="value-range"):
        upscale(request(real, tmp_path / "c.tif", bicubic_model))


def test_alpha_band_of_a_raster(
    tmp_path: Path, make_raster: Callable[..., Path], bicubic_model: str
) -> None:
    source = make_raster("rgba.tif", height=20, width=20, count=4)
    alpha = np.full((20, 20), 255, np.uint8)
    alpha[:5] = 0
    with rasterio.open(source, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.colorinterp = (*dataset.colorinterp[:3], rasterio.enums.ColorInterp.alpha)
        dataset.write(alpha, 4)
    upscale(request(source, tmp_path / "out.tif", bicubic_model))
    with rasterio.open(tmp_path / "out.tif") as high:
        assert high.colorinterp[3] == rasterio.enums.ColorInterp.alpha
        assert np.array_equal(high.read(4), alpha.repeat(4, 0).repeat(4, 1))


def test_all_nodata_is_refused(
    tmp_path: Path, make_raster: Callable[..., Path], bicubic_model: str
) -> None:
    source = make_raster(height=20, width=20, nodata=0, valid=np.zeros((20, 20), bool))
    with pytest.raises(RequestError, match="nodata"):
        upscale(request(source, tmp_path / "out.tif", bicubic_model))
    assert not (tmp_path / "out.tif").exists()


def test_other_ending_for_a_raster(tmp_path: Path, make_raster: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="\\.tif"):
        RasterJob(make_raster(), tmp_path / "out.png", Upscaler(bicubic_network()))
