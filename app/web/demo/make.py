"""Make the run that is shipped: `python -m app.web.demo.make`, a minute or two.

Its rasters are stored plainly, as what the possible futures have in common with the start is then
packed once for all of them. The films are left out; the page makes them when somebody asks.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import tarfile
import tempfile
from pathlib import Path

from rasterio.shutil import copy
from rasterio.warp import transform_bounds

from app.forecasts.demo import DEMO_SEED
from app.forecasts.request import ForecastRequest
from app.forecasts.run import forecast_region
from app.runs import Run, RunFolder, State
from app.runs.folder import RESULT
from app.web.demo import ARCHIVE, DEMO_RUN
from preprocessing.rasters.io import RasterSource
from preprocessing.simulator import WorldConfig, simulate_world, write_world

_SIDE, _PAST, _AHEAD, _MEMBERS = 224, 8, 5, 8
_MADE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def make(archive: Path) -> None:
    """Simulate a world that no model was trained on, forecast it, and pack the run."""
    with tempfile.TemporaryDirectory() as scratch:
        run = RunFolder(Path(scratch) / DEMO_RUN)
        run.path.mkdir()
        os.chdir(run.path)
        world = simulate_world(
            WorldConfig(height=_SIDE, width=_SIDE, years=_PAST + _AHEAD, seed=DEMO_SEED)
        )
        write_world(world, run.uploads, split="test")
        for cover in run.uploads.glob("cover_*.tif"):
            cover.unlink()
        scenes = sorted(Path("uploads").glob("scene_*.tif"))
        run.later.mkdir()
        for path in scenes[_PAST:]:
            path.rename(run.later / path.name)
        zones = Path("uploads/zones.geojson")
        zones.write_text(json.dumps(_quarters(scenes[0])), encoding="utf-8")
        request = ForecastRequest(
            images=tuple(scenes[:_PAST]),
            out=RESULT,
            years=_AHEAD,
            members=_MEMBERS,
            save_members=True,
            zones=zones,
        )
        forecast_region(request)
        run.write_request(request)
        run.write_state(Run(DEMO_RUN, State.done, _MADE, _MADE, _MADE))
        for film in run.result.glob("forecast.*"):
            film.unlink()
        for path in sorted(run.path.rglob("*.tif")):
            plain = path.with_suffix(".plain")
            copy(str(path), str(plain), driver="COG", compress="NONE", overviews="NONE")
            plain.rename(path)
        _pack(run.path, archive)


def _quarters(image: Path) -> dict[str, object]:
    """The quarters of the scene as zones."""
    grid = RasterSource.open(image).grid
    west, south, east, north = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds)
    x, y = (west + east) / 2, (south + north) / 2
    parts = {
        "North-west": (west, y, x, north),
        "North-east": (x, y, east, north),
        "South-west": (west, south, x, y),
        "South-east": (x, south, east, y),
    }
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"name": name},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]],
                },
            }
            for name, (w, s, e, n) in parts.items()
        ],
    }


def _pack(folder: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.parts[-3:]):
                entry = packed.gettarinfo(path, f"{folder.name}/{path.relative_to(folder)}")
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                entry.mtime = int(_MADE.timestamp())
                with path.open("rb") as file:
                    packed.addfile(entry, file)


if __name__ == "__main__":
    make(ARCHIVE)
