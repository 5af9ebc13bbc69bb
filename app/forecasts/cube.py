"""A finished forecast as one Zarr group that xarray opens, with dates, coordinates and CRS."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from app.forecasts.results import CUBE, KINDS, ForecastFolder
from app.forecasts.stac import moment, reference_date
from preprocessing.rasters.grid import Grid
from preprocessing.rasters.io import RasterSource, blocks
from preprocessing.running.files import replace_folder
from preprocessing.running.partial_files import partial_path

__all__ = ["write_cube"]

_CHUNK, _SHARD = 512, 4096
_DAY_ZERO = dt.date(1970, 1, 1)
_COLOURS = ("red", "green", "blue")


def write_cube(result: ForecastFolder) -> Path:
    """Write `forecast.zarr` beside the rasters of a forecast; an earlier one is replaced.

    Zarr format 3, by the CF conventions: `present` (band, y, x); `forecast` and `mean` (time, band,
    y, x); `spread` and `change_probability` (time, y, x), NaN where the ground was not observed;
    the CRS in `spatial_ref`, as GDAL and rioxarray have it. Times are those of the STAC items: the
    day of the start in each year. Chunks of 512 x 512 pixels lie in shards of 4096 x 4096. Stored
    values and nodata are those of the rasters; images whose rasters have a mask instead of nodata
    are 0 where it hides them.

    Args:
        result: The forecast.

    Returns:
        The folder of the group.
    """
    source = RasterSource.open(result.present, value_range=result.value_range)
    part = partial_path(result.folder / CUBE)
    group: Any = zarr.open_group(part, mode="w-", zarr_format=3)
    group.attrs.update({"Conventions": "CF-1.11", "title": f"Forecast of {result.region}"})
    start = reference_date(result, source)
    _coordinates(group, source.grid, [moment(start, year).date() for year in result.years])
    _fill(group, "present", [result.present], result, dims=("band", "y", "x"))
    for kind in KINDS:
        colours = kind in ("forecast", "mean")
        dims = ("time", "band", "y", "x") if colours else ("time", "y", "x")
        _fill(group, kind, [result.path(kind, year) for year in result.years], result, dims=dims)
    replace_folder(part, result.folder / CUBE)
    return result.folder / CUBE


def _fill(
    group: Any, name: str, rasters: list[Path], result: ForecastFolder, *, dims: tuple[str, ...]
) -> None:
    """One array from a raster for each year."""
    sources = [
        RasterSource.open(path, value_range=result.value_range, every_band=True) for path in rasters
    ]
    grid, encoding = sources[0].grid, sources[0].encoding
    nodata = encoding.nodata
    size = tuple(_shard(length) for length in (grid.height, grid.width))
    lengths = {"time": len(rasters), "band": 3, "y": grid.height, "x": grid.width}
    chunks = {"time": 1, "band": lengths["band"], "y": _CHUNK, "x": _CHUNK}
    array = group.create_array(
        name,
        shape=tuple(lengths[dim] for dim in dims),
        dtype=encoding.dtype,
        chunks=tuple(chunks[dim] for dim in dims),
        shards=tuple({**chunks, "y": size[0], "x": size[1]}[dim] for dim in dims),
        dimension_names=dims,
        fill_value=0 if nodata is None else nodata,
        attributes={"grid_mapping": "spatial_ref"},
    )
    if nodata is not None and np.isfinite(nodata):
        array.attrs["_FillValue"] = _fill_value(nodata, encoding.dtype)
    for number, source in enumerate(sources):
        for window in blocks(grid, size=_SHARD):
            stored, valid = source.read_stored(window)
            stored[:, ~valid] = 0 if nodata is None else nodata
            leading = (number,) if "time" in dims else ()
            values = stored if "band" in dims else stored[0]
            array[(*leading, *([slice(None)] if "band" in dims else []), *window.slices)] = values


def _coordinates(group: Any, grid: Grid, days: list[dt.date]) -> None:
    def add(name: str, values: NDArray[Any], **attributes: Any) -> None:
        dims = (name,) if values.ndim else ()
        array = group.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            dimension_names=dims,
            attributes=attributes,
        )
        array[...] = values

    add(
        "time",
        np.array([(day - _DAY_ZERO).days for day in days], np.int64),
        units=f"days since {_DAY_ZERO.isoformat()}",
        calendar="proleptic_gregorian",
        standard_name="time",
    )
    band = group.create_array("band", shape=(3,), dtype="string", dimension_names=("band",))
    band[...] = np.array(_COLOURS, object)
    t = grid.transform
    straight = t.b == 0 and t.d == 0
    if straight:
        geographic = grid.crs is not None and grid.crs.is_geographic
        names = (
            ("longitude", "latitude")
            if geographic
            else ("projection_x_coordinate", "projection_y_coordinate")
        )
        add("x", t.c + t.a * (np.arange(grid.width) + 0.5), standard_name=names[0])
        add("y", t.f + t.e * (np.arange(grid.height) + 0.5), standard_name=names[1])
    crs = {} if grid.crs is None else {"crs_wkt": grid.crs.to_wkt(version="WKT2_2019")}
    gdal = (t.c, t.a, t.b, t.f, t.d, t.e)
    add(
        "spatial_ref",
        np.array(0, np.int64),
        GeoTransform=" ".join(map(repr, map(float, gdal))),
        **crs,
    )


def _fill_value(nodata: float, dtype: str) -> int | str:
    """As xarray reads it from Zarr: of floats the bytes of a double."""
    if np.dtype(dtype).kind != "f":
        return int(nodata)
    return base64.standard_b64encode(struct.pack("<d", nodata)).decode()


def _shard(length: int) -> int:
    """Pixels along a shard: whole chunks, no more than the image needs."""
    return min(_SHARD, -(-length // _CHUNK) * _CHUNK)
