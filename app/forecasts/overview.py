"""One picture of a forecast: past, present, forecast, truth, spread, change probability."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from app.forecasts.results import ForecastFolder
from preprocessing.rasters.io import read_raster
from preprocessing.rasters.raster import Raster
from preprocessing.running.counted import counted
from preprocessing.running.partial_files import partial_path

__all__ = ["draw_overview"]


def draw_overview(result: ForecastFolder, *, past: Raster, truth: Raster, path: Path) -> Path:
    """Draw the last forecast year beside what really came.

    Args:
        result: A finished forecast.
        past: An image from before the forecast's start.
        truth: The image of the last forecast year, on the same grid and colours.
        path: PNG to write.
    """
    year = result.years[-1]
    spread, change = result.layer("spread", year), result.layer("change_probability", year)
    figure = Figure(figsize=(13.5, 9.4), layout="constrained", facecolor="white")
    axes = figure.subplots(2, 3)
    pictures = (
        (f"{past.year} observed", past),
        (f"{result.start_year} observed, the start", read_raster(result.present)),
        (f"{year} FORECAST, one of {counted(result.members, 'member')}", _forecast(result, year)),
        (f"{year} truth", truth),
    )
    for axis, (title, raster) in zip(axes.flat, pictures, strict=False):
        axis.imshow(np.clip(raster.data, 0, 1).transpose(1, 2, 0), interpolation="nearest")
        axis.set_title(title, fontsize=11)
    _layer(figure, axes[1, 1], spread, f"{year} spread (input units)", "magma", None)
    _layer(figure, axes[1, 2], change, f"{year} probability of change", "viridis", 1.0)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    part = partial_path(path)
    figure.savefig(part, dpi=110)
    os.replace(part, path)
    return path


def _forecast(result: ForecastFolder, year: int) -> Raster:
    return read_raster(result.path("forecast", year))


def _layer(
    figure: Figure, axis: Any, values: Any, title: str, colours: str, top: float | None
) -> None:
    top = float(np.nanpercentile(values, 99.5)) if top is None else top
    drawn = axis.imshow(values, cmap=colours, vmin=0, vmax=max(top, 1e-6), interpolation="nearest")
    axis.set_title(title, fontsize=11)
    figure.colorbar(drawn, ax=axis, shrink=0.8)
