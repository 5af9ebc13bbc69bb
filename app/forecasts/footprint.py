"""The outline of a grid as GeoJSON, by RFC 7946 also where it crosses 180 degrees."""

from __future__ import annotations

import math
from typing import Any

from preprocessing.rasters.grid import Grid

__all__ = ["footprint"]

_EDGE_POINTS = 8
_DIGITS = 8
Point = tuple[float, float]


def footprint(grid: Grid) -> tuple[list[float] | None, dict[str, Any] | None]:
    """Bounds and outline in WGS84, or nothing where the grid is not tied to the Earth.

    Longitudes are -180 to 180. Across the antimeridian the outline has a part on either side, and
    the western bound is larger than the eastern (RFC 7946, 3.1.9 and 5.2).
    """
    ring = _ring(grid)
    if ring is None:
        return None, None
    wests = math.floor((min(x for x, _ in ring) + 180) / 360)
    easts = math.ceil((max(x for x, _ in ring) + 180) / 360) - 1
    parts = []
    for turn in range(wests, max(easts, wests) + 1):
        low, high = -180 + 360 * turn, 180 + 360 * turn
        part = _clipped(_clipped(ring, low, keep_above=True), high, keep_above=False)
        if len(part) > 2:
            parts.append([(x - 360 * turn, y) for x, y in part])
    south, north = min(y for _, y in ring), max(y for _, y in ring)
    west, east = min(x for x, _ in parts[0]), max(x for x, _ in parts[-1])
    coordinates = [[[[round(v, _DIGITS) for v in p] for p in (*part, part[0])]] for part in parts]
    bbox = [round(value, _DIGITS) for value in (west, south, east, north)]
    if len(parts) == 1:
        return bbox, {"type": "Polygon", "coordinates": coordinates[0]}
    return bbox, {"type": "MultiPolygon", "coordinates": coordinates}


def _ring(grid: Grid) -> list[Point] | None:
    """The outline without jumps of longitude, counter-clockwise; a pole inside is gone around."""
    height, width, n = grid.height, grid.width, _EDGE_POINTS
    edge = [(width * k / n, 0.0) for k in range(n)]
    edge += [(float(width), height * k / n) for k in range(n)]
    edge += [(width * (n - k) / n, float(height)) for k in range(n)]
    edge += [(0.0, height * (n - k) / n) for k in range(n)]
    places = grid.lon_lat(edge)
    if places is None:
        return None
    xs, ys = places
    ring = [(xs[0], ys[0])]
    for x, y in zip(xs[1:], ys[1:], strict=True):
        ring.append((ring[-1][0] + (x - ring[-1][0] + 180) % 360 - 180, y))
    around = (xs[0] - ring[-1][0] + 180) % 360 - 180 + ring[-1][0] - ring[0][0]
    if abs(around) > 180:
        return _around_pole(ring, math.copysign(90.0, sum(ys)))
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1], strict=True))
    return ring if area >= 0 else ring[::-1]


def _around_pole(ring: list[Point], pole: float) -> list[Point]:
    """The outline of ground around a pole, from -180 to 180 and back along the pole."""
    points = sorted(((x + 180) % 360 - 180, y) for x, y in ring)
    (first, low), (last, high) = points[0], points[-1]
    share = (180 - last) / (first + 360 - last)
    edge = high + share * (low - high)
    outline = [(-180.0, edge), *points, (180.0, edge), (180.0, pole), (-180.0, pole)]
    return outline if pole > 0 else outline[::-1]


def _clipped(ring: list[Point], limit: float, *, keep_above: bool) -> list[Point]:
    """The part of a ring on one side of a meridian (Sutherland and Hodgman 1974)."""

    def kept(point: Point) -> bool:
        return point[0] >= limit if keep_above else point[0] <= limit

    found: list[Point] = []
    for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
        if kept(here):
            found.append(here)
        if kept(here) != kept(there):
            share = (limit - here[0]) / (there[0] - here[0])
            found.append((limit, here[1] + share * (there[1] - here[1])))
    return list(dict.fromkeys(found))
