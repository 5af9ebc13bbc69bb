"""`GET /api/v1/runs/{run}/cells`: what is forecast for one cell of the ground, year by year."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from rasterio.warp import transform

from app.api.dependencies import FinishedForecast
from app.api.problems import problems
from app.forecasts.results import ForecastFolder
from app.runs import RunNotFoundError
from preprocessing.errors import RequestError
from preprocessing.rasters.grid import PROJECTION_ERRORS, Grid, Window
from preprocessing.rasters.io import RasterSource
from preprocessing.tiles.cells import CELL

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/runs/{run}")

Colour = tuple[float, float, float] | None


class CellYear(BaseModel):
    """One year of a cell: means over its pixels that were observed, in the units of the input."""

    year: int
    change_probability: float | None
    forecast: Colour
    mean: Colour
    spread: float | None
    members: dict[int, Colour]


class CellSeries(BaseModel):
    """A cell of 4 x 4 pixels: its place, how it looked at the start, and its years."""

    row: int
    col: int
    outline: list[tuple[float, float]] | None = Field(
        description="Corners in degrees of longitude and latitude, the first one again at the end."
    )
    start_year: int
    start: Colour
    years: list[CellYear]


@router.get("/cells", responses=problems(400, 404, 409))
def cell_series(
    folder: FinishedForecast,
    row: Annotated[int | None, Query(ge=0, lt=2**31, description="Of the cell, from 0.")] = None,
    col: Annotated[int | None, Query(ge=0, lt=2**31, description="Of the cell, from 0.")] = None,
    lon: Annotated[float | None, Query(ge=-180, le=180, allow_inf_nan=False)] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90, allow_inf_nan=False)] = None,
) -> CellSeries:
    """The series of one cell, chosen by row and column or by longitude and latitude."""
    result = ForecastFolder.open(folder.result)
    grid = RasterSource.open(result.present, value_range=result.value_range).grid
    if row is not None and col is not None and lon is None and lat is None:
        at = Window(CELL * row, CELL * col, CELL, CELL)
    elif lon is not None and lat is not None and row is None and col is None:
        at = _cell_at(grid, lon, lat)
    else:
        raise RequestError("expected either row and col, or lon and lat")
    if not (0 <= at.row < grid.height and 0 <= at.col < grid.width):
        raise RunNotFoundError("expected a cell of the region, this one lies outside it")
    return CellSeries(
        row=at.row // CELL,
        col=at.col // CELL,
        outline=_outline(grid, at),
        start_year=result.start_year,
        start=_colour(result, at, "forecast", result.start_year),
        years=[_year(result, at, year) for year in result.years],
    )


def _cell_at(grid: Grid, lon: float, lat: float) -> Window:
    """The cell that holds a point."""
    if grid.crs is None:
        raise RequestError("expected row and col, the images of this run have no coordinate system")
    try:
        (x,), (y,) = transform("EPSG:4326", grid.crs, [lon], [lat])
        col, row = ~grid.transform @ (x, y)
        return Window(int(row // CELL) * CELL, int(col // CELL) * CELL, CELL, CELL)
    except (*PROJECTION_ERRORS, ValueError, OverflowError) as err:  # Where the map ends.
        raise RunNotFoundError("expected a point of the region, this one lies outside it") from err


def _outline(grid: Grid, at: Window) -> list[tuple[float, float]] | None:
    bottom, right = at.row + at.height, at.col + at.width
    corners = [(at.col, at.row), (right, at.row), (right, bottom), (at.col, bottom)]
    found = grid.lon_lat([*corners, corners[0]])
    return None if found is None else list(zip(*found, strict=True))


def _year(result: ForecastFolder, at: Window, year: int) -> CellYear:
    return CellYear(
        year=year,
        change_probability=_number(result, at, "change_probability", year),
        forecast=_colour(result, at, "forecast", year),
        mean=_colour(result, at, "mean", year),
        spread=_number(result, at, "spread", year),
        members={
            member: _colour(result, at, "forecast", year, member) for member in result.saved_members
        },
    )


def _colour(
    result: ForecastFolder, at: Window, kind: str, year: int, member: int | None = None
) -> Colour:
    path = result.path(kind, year, member=member)
    found = _means(RasterSource.open(path, value_range=result.value_range), at)
    return None if found is None else (found[0], found[1], found[2])


def _number(result: ForecastFolder, at: Window, kind: str, year: int) -> float | None:
    path = result.path(kind, year)
    found = _means(RasterSource.open(path, every_band=True, value_range=(0.0, 1.0)), at)
    return None if found is None else found[0]


def _means(source: RasterSource, at: Window) -> list[float] | None:
    """Means of the stored values over the pixels that were observed."""
    stored, valid = source.read_stored(at)
    if not valid.any():
        return None
    return [float(band.mean(dtype=np.float64)) for band in stored[:, valid]]
