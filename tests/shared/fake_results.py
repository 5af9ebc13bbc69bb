"""Result folders as `landcast forecast` leaves them, tiny and made without a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import write_cog

GRID = Grid(60, 80, Affine(10, 0, 500_000, 0, -10, 5_000_000), CRS.from_epsg(32633))
PLAIN_GRID = Grid(60, 80, Affine.identity(), None)


def write(path: Path, data: np.ndarray, grid: Grid = GRID, **options) -> Path:
    """Write `(c, h, w)` as a COG on `grid`."""
    height, width = data.shape[1:]
    grid = Grid(height, width, grid.transform, grid.crs)
    window = Window(0, 0, height, width)
    valid = options.pop("valid", None)
    return write_cog(
        path,
        grid,
        [(window, data, valid)],
        count=data.shape[0],
        dtype=str(data.dtype),
        masked=valid is not None,
        **options,
    )


def scene(year: int, height: int = 60, width: int = 80) -> np.ndarray:
    """Green land, `(3, h, w)` uint8, with a grey town that gains two columns a year."""
    data = np.empty((3, height, width), dtype=np.uint8)
    data[:] = np.array([70, 120, 60], dtype=np.uint8)[:, None, None]
    data[:, 20:40, : 10 + 2 * (year - 2018)] = 170
    data[:, :10, :] = np.array([30, 60, 120], dtype=np.uint8)[:, None, None]
    return data


def make_result(
    folder: Path,
    *,
    start: int = 2020,
    years: int = 3,
    members: int = 4,
    grid: Grid = GRID,
    save_members: bool = False,
    tags: dict[str, str] | None = None,
) -> Path:
    """Write a result folder of `years` forecasts after `start`."""
    folder.mkdir(parents=True)
    write(folder / f"present_{start}.tif", scene(start), grid, tags=tags)
    ahead = [start + n for n in range(1, years + 1)]
    for n, year in enumerate(ahead, start=1):
        picture = scene(year)
        changed = (picture != scene(start)).any(axis=0)
        write(folder / f"forecast_{year}.tif", picture, grid)
        write(folder / f"mean_{year}.tif", picture.astype(np.float32), grid)
        spread = np.where(changed, 5.0 * n, 1.0).astype(np.float32)
        write(folder / f"spread_{year}.tif", spread[None], grid)
        change = np.where(changed, 0.75, 0.0).astype(np.float32)
        write(folder / f"change_probability_{year}.tif", change[None], grid)
        if save_members:
            (folder / "members").mkdir(exist_ok=True)
            for member in range(members):
                data = np.clip(picture.astype(int) + member, 0, 255).astype(np.uint8)
                write(folder / "members" / f"{member:02d}_{year}.tif", data, grid)
    run = {
        "region": "town_2020.tif",
        "start_year": start,
        "years": ahead,
        "members": members,
        "seed": 7,
        "value_range": [0, 255],
        "model": {"name": "tiny", "sha256": "0" * 64},
        "arguments": {},
        "versions": {},
        "seconds": 1.5,
        "km2_per_hour": 115.2,
    }
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return folder
