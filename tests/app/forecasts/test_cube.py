"""A forecast as one Zarr group, opened by xarray."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.crs import CRS

from app.forecasts.request import ForecastRequest
from app.forecasts.run import forecast_region

Make = Callable[..., Path]
Request = Callable[..., ForecastRequest]


pytestmark = pytest.mark.usefixtures("small_forecast_lift")


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", None), ("uint16", 7), ("float32", -9999)])
def test_xarray_opens_it_with_years_coordinates_and_crs(
    make_raster: Make, request_of: Request, dtype: str, nodata: float | None
) -> None:
    valid = np.ones((150, 170), bool)
    valid[20:60, 30:70] = False
    image = make_raster(
        "region_2020-07-04.tif",
        dtype=dtype,
        nodata=nodata,
        valid=valid,
        tags={"VALUE_RANGE": "0,255"},
    )
    forecast_region(request_of(image))
    # It is finished: only the group is made.
    result = forecast_region(request_of(image, cube=True))
    cube = xr.open_zarr(result.folder / "forecast.zarr", consolidated=False)
    assert cube.time.dt.year.values.tolist() == [2021, 2022]
    item = json.loads((result.folder / "forecast_2022.json").read_text())
    told = np.datetime64(item["properties"]["datetime"].removesuffix("Z"))
    assert cube.time.values[1] == told == np.datetime64("2022-07-04")
    assert cube.band.values.tolist() == ["red", "green", "blue"]
    assert CRS.from_wkt(cube.spatial_ref.attrs["crs_wkt"]) == CRS.from_epsg(32632)
    assert cube.forecast.dims == ("time", "band", "y", "x")
    assert cube.spread.dims == ("time", "y", "x")
    with rasterio.open(result.path("forecast", 2022)) as raster:
        assert (float(cube.x[0]), float(cube.y[0])) == raster.xy(0, 0)
        shown = np.asarray(cube.forecast.sel(time="2022").squeeze("time"))
        expected = raster.read()
        np.testing.assert_array_equal(shown[:, valid], expected[:, valid])
        assert cube.forecast.encoding["dtype"] == np.dtype(dtype)
        if nodata is not None:
            assert np.isnan(shown[:, ~valid]).all()
    for name, file in (("spread", "spread_2021.tif"), ("change_probability", None)):
        with rasterio.open(result.folder / (file or "change_probability_2021.tif")) as raster:
            np.testing.assert_array_equal(
                np.asarray(cube[name].sel(time="2021"))[0], raster.read(1)
            )
    np.testing.assert_array_equal(
        np.isnan(np.asarray(cube.change_probability)), np.broadcast_to(~valid, (2, 150, 170))
    )
    with rasterio.open(result.present) as raster:
        np.testing.assert_array_equal(np.asarray(cube.present)[:, valid], raster.read()[:, valid])
