"""Requests, items and readings that the tests of fetching share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pictures import picture
from rasterio.warp import transform_bounds
from servers.stac_catalogue import MadeCatalogue, utm_grid

from preprocessing.fetch import FetchRequest
from preprocessing.rasters.grid import Bounds, Grid, Window
from preprocessing.rasters.io import RasterSource

SIDE = 96
GRID = utm_grid(SIDE)
PLACE = GRID.crop(Window(10, 12, 70, 66))  # inside the items, on whole pixels
VEGETATION, CLOUD, SHADOW = 4, 9, 3


def box_of(grid: Grid) -> Bounds:
    """A box in degrees whose cover in pixels is not larger than `grid`."""
    west, south, east, north = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds)
    inset = 1.1 * grid.transform.a / 111_320
    return Bounds(west + inset, south + inset, east - inset, north - inset)


def ask(made: MadeCatalogue, out: Path, years: tuple[int, ...] = (2020,), **more: Any):
    settings: dict[str, Any] = {
        "bbox": box_of(PLACE),
        "collection": "sentinel-2-l2a",
        "catalogue": made.url,
        "timeout_s": 10.0,
        "retries": 1,
        "backoff_s": 0.05,
        "workers": 2,
    }
    return FetchRequest(years=years, out=out, **(settings | more))


def ground(seed: int = 0) -> np.ndarray:
    """Blue, green, red, near infrared `(4, SIDE, SIDE)` in reflectance x 10000."""
    return np.concatenate(
        [picture(SIDE, SIDE, seed=seed), picture(SIDE, SIDE, seed=seed + 1)[:1]]
    ).astype(np.uint16) * np.uint16(10)


def add_sentinel(made, name, date, truth, *, cloud=None, hidden=None, offset=0, **properties):
    """An item with a cloud over a window, the cloud's shadow over another."""
    pixels = truth + np.uint16(offset)
    scene_class = np.full((1, SIDE, SIDE), VEGETATION, np.uint8)
    if cloud is not None:
        pixels[:, *cloud.slices] = 9000
        scene_class[0][cloud.slices] = CLOUD
    if hidden is not None:
        pixels[:, *hidden.slices] = 30 + offset
        scene_class[0][hidden.slices] = SHADOW
    made.add(
        name,
        date,
        {"B02": pixels[:1], "B03": pixels[1:2], "B04": pixels[2:3], "B08": pixels[3:]}
        | {"SCL": scene_class},
        GRID,
        properties={"eo:cloud_cover": 10.0, "s2:processing_baseline": "02.14"} | properties,
        coarse=("SCL",),
    )


def read(path: Path) -> tuple[np.ndarray, np.ndarray, Grid]:
    """Stored values, validity, grid."""
    raster = RasterSource.open(path).read()
    low, high = raster.encoding.low, raster.encoding.high
    return np.rint(raster.data * (high - low) + low), raster.valid, raster.grid


def same_ground(truth: np.ndarray, grid: Grid) -> np.ndarray:
    """The part of `truth` (on GRID) that `grid` shows; they share pixel edges."""
    col, row = ~GRID.transform @ (grid.transform.c, grid.transform.f)
    assert abs(col - round(col)) < 1e-6
    assert abs(row - round(row)) < 1e-6
    return truth[:, round(row) : round(row) + grid.height, round(col) : round(col) + grid.width]
