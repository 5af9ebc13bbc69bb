"""A demo world as files: Cloud Optimized GeoTIFFs and a manifest."""

from __future__ import annotations

import csv
from pathlib import Path

from preprocessing.grid import Window
from preprocessing.io import write_cog
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.world import World

__all__ = ["write_world"]

_COLUMNS = (
    "split",
    "dataset",
    "place",
    "date",
    "path",
    "width",
    "height",
    "bands",
    "gsd_m",
    "licence",
)


def write_world(world: World, folder: Path, *, split: str = "train") -> Path:
    """Write `scene_{year}.tif`, `cover_{year}.tif` and `manifest.csv`.

    Args:
        world: What to write.
        folder: Where to; made if it does not exist.
        split: The split that the manifest states.

    Returns:
        The path of the manifest; its paths are relative to its folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = world.config
    legend = ",".join(f"{cover.value}={cover.name.lower()}" for cover in Cover)
    rows = []
    for raster, cover in zip(world.rasters, world.covers, strict=True):
        grid = raster.grid
        whole = Window(0, 0, grid.height, grid.width)
        date = "" if raster.date is None else raster.date.isoformat()
        name = f"scene_{raster.year}.tif"
        write_cog(
            folder / name,
            grid,
            [(whole, raster.encoding.encode(raster.data), raster.valid)],
            count=3,
            dtype=raster.encoding.dtype,
            masked=raster.encoding.masked,
            descriptions=("red", "green", "blue"),
            tags={"ACQUISITION_DATE": date, "SIMULATED": f"landcast seed {config.seed}"},
        )
        write_cog(
            folder / f"cover_{raster.year}.tif",
            grid,
            [(whole, cover[None], None)],
            count=1,
            dtype="uint8",
            descriptions=("cover",),
            tags={"ACQUISITION_DATE": date, "LEGEND": legend},
        )
        place = f"simulated_{config.seed}"
        rows.append(
            (
                split,
                "simulated",
                place,
                date,
                name,
                grid.width,
                grid.height,
                3,
                config.gsd_m,
                "none",
            )
        )
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    return manifest
