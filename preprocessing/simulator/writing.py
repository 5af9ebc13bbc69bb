"""A demo world as files: Cloud Optimized GeoTIFFs and a manifest."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from preprocessing.rasters.grid import whole
from preprocessing.rasters.io import write_cog
from preprocessing.running.partial_files import partial_path
from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.world import World, simulate_world

__all__ = ["write_world", "write_worlds"]

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
    rows: list[tuple[object, ...]] = []
    for raster, cover in zip(world.rasters, world.covers, strict=True):
        grid = raster.grid
        date = "" if raster.date is None else raster.date.isoformat()
        name = f"scene_{raster.year}.tif"
        write_cog(
            folder / name,
            grid,
            [(whole(grid), raster.encoding.encode(raster.data), raster.valid)],
            count=3,
            dtype=raster.encoding.dtype,
            masked=raster.encoding.masked,
            descriptions=("red", "green", "blue"),
            tags={"ACQUISITION_DATE": date, "SIMULATED": f"landcast seed {config.seed}"},
        )
        write_cog(
            folder / f"cover_{raster.year}.tif",
            grid,
            [(whole(grid), cover[None], None)],
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
    return _write_manifest(folder, rows)


def write_worlds(
    configs: Sequence[WorldConfig],
    folder: Path,
    *,
    split: str = "train",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Simulate several worlds into `world_{seed}/` and list them all in one `manifest.csv`.

    Args:
        configs: The worlds, told apart by their seeds.
        folder: Where to; made if it does not exist.
        split: The split that the manifest states.
        progress: Called with (worlds done, worlds in all).

    Returns:
        The path of the manifest of all worlds.
    """
    rows: list[tuple[object, ...]] = []
    for done, config in enumerate(configs, start=1):
        place = Path(folder) / f"world_{config.seed}"
        single = write_world(simulate_world(config), place, split=split)
        with single.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                row["path"] = f"{place.name}/{row['path']}"
                rows.append(tuple(row[column] for column in _COLUMNS))
        if progress is not None:
            progress(done, len(configs))
    return _write_manifest(Path(folder), rows)


def _write_manifest(folder: Path, rows: Sequence[tuple[object, ...]]) -> Path:
    manifest = folder / "manifest.csv"
    part = partial_path(manifest)
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    os.replace(part, manifest)
    return manifest
