"""What the map component is told: years, layers, legends, where tiles are, and its words."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.colors import to_hex

from app.forecasts.results import ForecastFolder
from app.forecasts.styles import class_colours, top_value
from app.runs import RunFolder
from app.web.first_paint import still
from app.web.forecasts.images import Images
from app.web.map import map_words
from app.web.service import service
from app.web.texts import language, number, text
from preprocessing.rasters.grid import Bounds, Grid
from preprocessing.rasters.io import RasterSource

__all__ = ["map_of_box", "map_of_images", "map_of_run"]

_MOST_IMAGES = 12
_TILE_M = 156_543.034
"""Metres of a pixel of tiles of 256 at zoom 0 on the equator."""
_WORLD = (-170.0, -58.0, 170.0, 75.0)


def map_of_run(folder: RunFolder, result: ForecastFolder, images: Images) -> dict[str, Any] | None:
    """A forecast on the map; None where its images have no place on Earth."""
    around = _around(images)
    if around is None:
        return None
    corners, gsd = around
    seen = {int(date[:4]) for _, date, *_ in result.run.get("history", [])}
    seen |= {result.start_year}
    later = {one.year for one in images.dated if one.year > result.start_year}
    frames = [{"year": year, "forecast": False, "observed": True} for year in sorted(seen)]
    frames += [{"year": year, "forecast": True, "observed": year in later} for year in result.years]
    latitude = (corners[0][1] + corners[2][1]) / 2
    native = math.ceil(math.log2(_TILE_M * math.cos(math.radians(latitude)) / gsd))
    return _common() | {
        "place": folder.path.name,
        "run": folder.path.name,
        "start": result.start_year,
        "range": list(result.value_range),
        "cells": True,
        "bounds": _bounds(corners),
        "view": _bounds(_corners(RasterSource.open(result.present).grid) or corners),
        "zooms": [max(0, native - 8), min(native + 1, 22)],
        "frames": frames,
        "layers": _layers(result, later),
        "poster": _poster(result),
    }


def map_of_images(images: Images) -> dict[str, Any] | None:
    """Images before there is a forecast of them; None where they have no place on Earth."""
    around = _around(images)
    if around is None:
        return None
    corners, _ = around
    shown = images.dated[-_MOST_IMAGES:]
    limits = images.source(shown[-1].path).encoding
    pictures = {
        one.year: {
            "url": still(
                one.path, one.path.stat().st_mtime_ns, images.bands, (limits.low, limits.high)
            ),
            "corners": _corners(images.source(one.path).grid),
        }
        for one in shown
    }
    return _common() | {
        "place": images.key,
        "run": None,
        "start": shown[-1].year,
        "cells": False,
        "bounds": _bounds(corners),
        "zooms": [0, 22],
        "pictures": pictures,
        "frames": [
            {"year": year, "forecast": False, "observed": True} for year in sorted(pictures)
        ],
        "layers": [{"id": "observed", "label": text("layer_observed"), "says": ""}],
    }


def _poster(result: ForecastFolder) -> str | None:
    """What the map begins with, as a picture to look at while it starts; None of a part."""
    if result.run.get("area") is not None:
        return None
    path = result.path("forecast", result.years[-1])
    return still(path, path.stat().st_mtime_ns, None, result.value_range)


def map_of_box(box: Bounds | None, *, found: bool) -> dict[str, Any]:
    """The world to draw an area on.

    Args:
        box: Is outlined, and where the map begins; all of the world without.
        found: Whether there is something to look at beside the form.
    """
    return _common() | {
        "place": f"world {box} {found}",
        "room": found,
        "area": None if box is None else _outline(box),
        "run": None,
        "land": f"{service().settings.base_path}/map/land.json",
        "cells": False,
        "bounds": list(box or _WORLD),
        "frames": [],
        "layers": [],
    }


def _outline(box: Bounds) -> dict[str, Any]:
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def _common() -> dict[str, Any]:
    settings = service().settings
    return {
        "base": settings.base_path,
        "basemap": settings.basemap or "",
        "language": language(),
        "drawing": True,
        "room": True,
        "texts": map_words(),
    }


def _layers(result: ForecastFolder, later: set[int]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [_layer("forecast"), _layer("mean")]
    found += [
        {**_layer("change_probability"), "legend": _legend("change_probability", 1.0)},
        {**_layer("spread"), "legend": _legend("spread", top_value(result, "spread"))},
    ]
    if later:
        found.append(_layer("observed"))
    return found + [
        {
            "id": f"member-{member:02d}",
            "member": member,
            "label": text("one_future", number=member + 1),
            "says": text("says_one"),
        }
        for member in result.saved_members
    ]


def _layer(name: str) -> dict[str, Any]:
    return {"id": name, "label": text(f"layer_{name}"), "says": text(f"says_{name}")}


def _legend(kind: str, top: float) -> dict[str, Any]:
    colours = [to_hex(row / 255, keep_alpha=True) for row in class_colours(kind)]
    shares = (0.0, 0.5, 1.0)
    if kind == "change_probability":
        ticks = [f"{100 * share:.0f} %" for share in shares]
    else:
        ticks = [number(top * share) for share in shares]
    return {"colours": colours, "ticks": ticks, "unit": text(f"unit_{kind}")}


def _around(images: Images) -> tuple[list[list[float]], float] | None:
    """Corners of the newest image in degrees, and the metres of a pixel."""
    grid = images.source(images.dated[-1].path).grid
    corners = _corners(grid)
    return None if corners is None or grid.gsd_m is None else (corners, grid.gsd_m)


def _corners(grid: Grid) -> list[list[float]] | None:
    """Top left, top right, bottom right, bottom left: the order of the map."""
    w, h = grid.width, grid.height
    found = grid.lon_lat([(0, 0), (w, 0), (w, h), (0, h)])
    return None if found is None else [list(point) for point in zip(*found, strict=True)]


def _bounds(corners: list[list[float]]) -> list[float]:
    xs, ys = zip(*corners, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]
