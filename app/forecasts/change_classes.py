"""The chance of lasting change in classes: a raster of 8 bits that has its colours in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.forecasts.results import ForecastFolder
from app.forecasts.styles import class_colours
from preprocessing.rasters.io import RasterSource, blocks, write_cog
from preprocessing.rasters.window import Window

__all__ = ["write_change_classes"]

_KIND = "change_probability"


def write_change_classes(result: ForecastFolder, year: int, path: Path) -> Path:
    """Write the chance of lasting change by a year as a COG with a colour table.

    Values are 1 to 10 for steps of 10 %, in the colours of the map's legend, and 0, without colour,
    where nothing was observed. Tags `CLASS_1` to `CLASS_10` say what they mean.

    Args:
        result: The forecast.
        year: One of its years.
        path: Where to; the folder must exist.
    """
    colours = class_colours(_KIND)[:, :3]
    source = RasterSource.open(result.path(_KIND, year), every_band=True, value_range=(0.0, 1.0))
    edges = np.linspace(0, 100, len(colours) + 1).astype(int).tolist()

    def parts() -> Iterator[tuple[Window, NDArray[Any], NDArray[np.bool_]]]:
        with source.reading() as read:
            for window in blocks(source.grid):
                part = read(window)
                steps = np.floor(len(colours) * np.where(part.valid, part.data[:1], 0))
                classes = 1 + np.minimum(steps, len(colours) - 1).astype(np.uint8)
                yield window, np.where(part.valid, classes, 0).astype(np.uint8), part.valid

    return write_cog(
        path,
        source.grid,
        parts(),
        count=1,
        dtype="uint8",
        nodata=0,
        descriptions=(_KIND,),
        tags={
            f"CLASS_{place}": f"{low} to {high} %"
            for place, (low, high) in enumerate(pairwise(edges), start=1)
        },
        colours=np.concatenate([np.zeros((1, 3), np.uint8), colours]),
    )
