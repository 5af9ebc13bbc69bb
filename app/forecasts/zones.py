"""Hectares expected to change by zone and year, of a finished forecast."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.forecasts.results import ZONES, ForecastFolder
from forecast.region.area import Zone, cell_weights, log_odds_spread, zone_areas
from forecast.region.change_allocation import parcels_of
from forecast.region.ground import start_cells
from forecast.region.objects import region_objects
from forecast.region.region_conditions import region_tone
from forecast.start import BLOCK, read_start
from preprocessing.areas.polygons import covered, pixel_window, read_polygons
from preprocessing.errors import RequestError
from preprocessing.rasters.grid import Grid
from preprocessing.rasters.io import RasterSource, blocks
from preprocessing.rasters.window import Window
from preprocessing.running.counted import counted
from preprocessing.running.disk_space import Zeros, disk_zeros
from preprocessing.running.partial_files import partial_path
from preprocessing.tiles.cells import CELL

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from app.forecasts.area_of_interest import AreaOfInterest

__all__ = ["read_zones", "write_zones"]

_log = logging.getLogger(__name__)
_COLUMNS = (
    *("year", "zone_ha", "changed_ha", "changed_ha_5", "changed_ha_50", "changed_ha_95"),
    "mean_probability",
)


def read_zones(path: Path, grid: Grid, area: AreaOfInterest | None = None) -> GeoDataFrame:
    """Polygons to tell the area of change of, see `read_polygons`.

    Args:
        path: Of the file.
        grid: Of the region.
        area: Part of it that is forecast; all where None.

    Raises:
        RequestError: As there, they have a column that is written for them, or all lie outside the
            area.
    """
    polygons = read_polygons(path, grid)
    taken = [name for name in polygons.columns if str(name).lower() in _COLUMNS]
    if taken:
        raise RequestError(
            f"expected polygons without columns that are written for them, {path} has "
            f"{', '.join(taken)}; rename them"
        )
    if area is not None and not polygons.intersects(area.polygons.union_all()).any():
        raise RequestError(
            f"expected zones in the area of interest, those of {path} lie outside it; choose "
            "others, or another area"
        )
    return polygons


def write_zones(result: ForecastFolder, path: Path, out: Path | None = None) -> tuple[Path, Path]:
    """Write, for each polygon and year, how much ground is expected to have changed lastingly.

    Columns beside the attributes of the polygons: `year`, `zone_ha` (ground of the zone that was
    seen), `changed_ha` with its 5, 50 and 95 % quantiles, all in hectares, and
    `mean_probability`. Quantiles are of `zone_areas`. Polygons without ground that was forecast
    have no row.

    Args:
        result: The forecast.
        path: File of polygons, see `read_polygons`.
        out: Folder for the tables, which is made; that of the forecast where None.

    Returns:
        `zones.csv`, and `zones.parquet` with the polygons in the coordinate system of the forecast;
        earlier ones are replaced.

    Raises:
        RequestError: As in `read_zones`, or no zone has ground that was forecast.
    """
    source = RasterSource.open(result.present)
    polygons = read_zones(path, source.grid)
    with _scratch(result.folder) as scratch:
        zeros = disk_zeros(scratch)
        image, valid = read_start(source, scratch)
        cells, known = start_cells(image, valid, zeros=zeros)
        objects = region_objects(image, region_tone(cells, known, zeros=zeros), zeros=zeros)
        found = [
            _zone(polygons.iloc[[row]], source.grid, valid, zeros) for row in range(len(polygons))
        ]
        seen = np.array([zone.weights.any() for zone in found])
        if not seen.any():
            raise RequestError(
                f"expected zones with ground that was forecast, those of {path} have none; "
                "check their coordinates, or forecast a larger area"
            )
        if not seen.all():
            _log.warning(
                "%s: %s without ground that was forecast",
                path.name,
                counted(int((~seen).sum()), "polygon"),
            )
        zones = [zone for zone in found if zone.weights.any()]
        polygons = polygons[seen]
        probabilities = [
            _on_cells(result, year, zeros(known.shape, np.float32)) for year in result.years
        ]
        areas = zone_areas(
            probabilities,
            zones,
            objects,
            parcels_of(objects, known, source.grid.gsd_m, zeros=zeros),
            known,
            spread=result.run.get("changed_area", {}).get(
                "log_odds_spread", log_odds_spread(taught=False)
            ),
            seed=result.seed,
            zeros=zeros,
        )
    table = polygons.iloc[np.repeat(np.arange(len(zones)), len(result.years))]
    rows = []
    for zone, by_year in zip(zones, areas, strict=True):
        size = float(zone.weights.sum())
        for year, area in zip(result.years, by_year, strict=True):
            values = (size, area.expected, area.low, area.middle, area.high)
            shown = (round(value, 3) for value in values)
            rows.append((year, *shown, round(area.expected / size, 5)))
    columns = zip(_COLUMNS, zip(*rows, strict=True), strict=True)
    table = table.assign(**{name: list(values) for name, values in columns})
    return _write(table, out or result.folder)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder that the next run removes if this one is killed."""
    scratch = partial_path(folder / "zones")
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


def _zone(polygon: GeoDataFrame, grid: Grid, valid: NDArray[np.bool_], zeros: Zeros) -> Zone:
    """Cells of a polygon and the area of it that was seen in each."""
    held = pixel_window(polygon, grid, step=CELL)
    part = grid.crop(held)
    seen = covered(polygon, part, valid[held.slices], zeros=zeros)
    weights = cell_weights(seen, part.row_gsd_m(), zeros=zeros)
    return Zone(Window(held.row // CELL, held.col // CELL, *weights.shape), weights)


def _on_cells(
    result: ForecastFolder, year: int, probability: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The change probability of a year as means over cells `(h, w)`, 0 where it is not known."""
    source = RasterSource.open(
        result.path("change_probability", year), every_band=True, value_range=(0.0, 1.0)
    )
    with source.reading() as read:
        for window in blocks(source.grid, size=BLOCK):
            part = read(window)
            rows, cols = (-(-size // CELL) for size in (window.height, window.width))
            padded = np.zeros((2, rows * CELL, cols * CELL))
            padded[:, : window.height, : window.width] = (
                np.where(part.valid, part.data[0], 0),
                part.valid,
            )
            total, count = padded.reshape(2, rows, CELL, cols, CELL).sum(axis=(2, 4))
            row, col = window.row // CELL, window.col // CELL
            probability[row : row + rows, col : col + cols] = total / np.maximum(count, 1)
    return probability


def _write(table: GeoDataFrame, folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    csv, parquet = (folder / name for name in ZONES)
    parts = partial_path(csv), partial_path(parquet)
    try:
        table.drop(columns=table.geometry.name).to_csv(parts[0], index=False)
        table.to_parquet(parts[1], index=False)
        for part, path in zip(parts, (csv, parquet), strict=True):
            os.replace(part, path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return csv, parquet
