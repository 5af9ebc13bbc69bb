"""A demo world as files: Cloud Optimized GeoTIFFs and a manifest."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from preprocessing.rasters.grid import whole
from preprocessing.rasters.io import write_cog
from preprocessing.running.partial_files import partial_path
from preprocessing.running.progress import Steps, untold
from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.world import World, simulate_world

__all__ = ["write_world", "write_worlds"]

_Row = dict[str, object]


def write_world(world: World, folder: Path, *, split: str = "train") -> Path:
    """Write `scene_{year}.tif`, `cover_{year}.tif` and `manifest.csv`.

    Args:
        world: What to write.
        folder: Where to; made if it does not exist.
        split: The split that the manifest states.

    Returns:
        The path of the manifest; its paths are relative to its folder.
    """
    return _write_manifest(folder, _write_scenes(world, folder, split))


def _write_scenes(world: World, folder: Path, split: str) -> list[_Row]:
    """Write the rasters; returns the rows of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    config = world.config
    legend = ",".join(f"{cover.value}={cover.name.lower()}" for cover in Cover)
    rows: list[_Row] = []
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
        rows.append(
            {
                "split": split,
                "dataset": "simulated",
                "place": f"simulated_{config.seed}",
                "date": date,
                "path": name,
                "width": grid.width,
                "height": grid.height,
                "bands": 3,
                "gsd_m": config.gsd_m,
                "licence": "none",
            }
        )
    return rows


def write_worlds(
    configs: Sequence[WorldConfig],
    folder: Path,
    *,
    split: str = "train",
    progress: Steps = untold,
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
    rows: list[_Row] = []
    for done, config in enumerate(configs, start=1):
        place = folder / f"world_{config.seed}"
        own = _write_scenes(simulate_world(config), place, split)
        _write_manifest(place, own)
        rows += [{**row, "path": f"{place.name}/{row['path']}"} for row in own]
        progress(done, len(configs))
    return _write_manifest(folder, rows)


def _write_manifest(folder: Path, rows: Sequence[_Row]) -> Path:
    manifest = folder / "manifest.csv"
    part = partial_path(manifest)
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(part, manifest)
    return manifest
