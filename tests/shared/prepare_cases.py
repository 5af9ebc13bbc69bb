"""Dated scenes and manifests for the tests of preparation."""

from __future__ import annotations

import csv
import datetime as dt
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from made_scenes import made_world, view

from preprocessing.pairs.arrays import Pairs
from preprocessing.preparation.bounds import BoundsFit
from preprocessing.preparation.config import PrepareConfig
from preprocessing.preparation.raster_pair import plan_pair
from preprocessing.rasters.image_source import HeldImage
from preprocessing.rasters.raster import Raster
from preprocessing.rasters.window import Window
from preprocessing.report.counts import PairReport

WORLD = made_world(11, size_px=300)
CONFIG = PrepareConfig()
APART_PX = 1000


def dated(
    year: int,
    *,
    row_q: int = 40,
    col_q: int = 40,
    size: int = 256,
    world: np.ndarray = WORLD,
    east_px: float = 0.0,
) -> Raster:
    """A view of the world, each year with its own colour cast, `east_px` from its usual place."""
    raster = view(
        world,
        row_q=row_q,
        col_q=col_q,
        height=size,
        width=size,
        date=dt.date(year, 1, 1),
        name=f"place_{year}.tif",
    )
    gain = 1 - 0.04 * (year % 5) * np.array([1, 0.5, -0.5])[:, None, None]
    moved = raster.grid.transform @ Affine.translation(east_px, 0)
    grid = replace(raster.grid, transform=moved)
    return replace(raster, data=(raster.data * gain).astype(np.float32), grid=grid)


def write(path: Path, raster: Raster, *, crs: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.rint(np.clip(raster.data, 0, 1) * 255).astype(np.uint8)
    options = {"crs": raster.grid.crs, "transform": raster.grid.transform} if crs else {}
    with rasterio.open(
        path,
        "w",
        driver="GTiff" if path.suffix == ".tif" else "PNG",
        height=stored.shape[1],
        width=stored.shape[2],
        count=3,
        dtype="uint8",
        **options,
    ) as file:
        file.write(stored)
    return path


def write_manifest(folder: Path, lines: list[dict[str, object]]) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


def places(folder: Path, names: dict[str, str], years: tuple[int, ...] = (2016, 2018)) -> Path:
    """Rasters of several places, each `APART_PX` east of the one before, and their manifest."""
    lines = []
    for index, (name, split) in enumerate(names.items()):
        world = made_world(100 + index, size_px=140)
        for year in years:
            raster = dated(
                year,
                row_q=year % 4,
                col_q=8,
                size=130,
                world=world,
                east_px=index * APART_PX,
            )
            path = write(folder / f"{name}_{year}.tif", raster)
            lines.append(
                {
                    "split": split,
                    "dataset": "made",
                    "place": name,
                    "date": year,
                    "path": path.name,
                    "gsd_m": 7.5,
                }
            )
    return write_manifest(folder, lines)


def prepare_rasters(
    earlier: Raster,
    later: Raster,
    config: PrepareConfig,
    *,
    source: str | None = None,
    gsd_m: float = math.nan,
) -> tuple[Pairs, PairReport]:
    """The kept pairs of two rasters in memory, and what became of all."""
    plan = plan_pair(HeldImage(earlier), HeldImage(later), config, source=source, gsd_m=gsd_m)
    bounds = None
    if config.fit_bounds:
        fit = BoundsFit()
        plan.measure(fit, most=len(plan.windows))
        bounds = fit.bounds(base=config.filters)
    kept = [_no_tiles(config.tile_px)]
    report = plan.run(kept.append, bounds=bounds)
    return Pairs.joined(kept), report


def _no_tiles(side_px: int) -> Pairs:
    """A batch of no pairs."""
    tile = (side_px, side_px)
    return Pairs(
        past=np.zeros((0, 3, *tile), np.uint8),
        future=np.zeros((0, 3, *tile), np.uint8),
        valid=np.zeros((0, *tile), bool),
        years=np.zeros(0, np.float32),
        gsd_m=np.zeros(0, np.float32),
        row=np.zeros(0, np.int32),
        col=np.zeros(0, np.int32),
        split=np.zeros(0, np.uint8),
        source=np.zeros(0, "U1"),
    )


def gap_px(first: Window, second: Window) -> int:
    """Pixels between two windows along the axis that parts them most; negative if they overlap."""
    rows = max(first.row - second.row - second.height, second.row - first.row - first.height)
    cols = max(first.col - second.col - second.width, second.col - first.col - first.width)
    return max(rows, cols)
