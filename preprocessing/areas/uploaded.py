"""Whether a file of polygons that a stranger sent may be opened."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

from preprocessing.errors import RequestError, TooLargeError

__all__ = ["check_polygon_upload"]

_MOST_BYTES = 16 * 2**20
_SQLITE = b"SQLite format 3\0"
_KINDS = ("FeatureCollection", "Feature", "Polygon", "MultiPolygon", "GeometryCollection")
# Anything else that GeoJSON may call a coordinate system is an address or a file to GDAL.
_CRS_NAME = re.compile(r"urn:ogc:def:crs:[\w:.]+|EPSG:\d+|OGC:CRS84", re.ASCII)
_INDEX = re.compile(r'create virtual table ("[^"]+"|\w+) using rtree\b', re.IGNORECASE)
_COMPUTED = re.compile(r"create virtual|\bas ?\(", re.IGNORECASE)


def check_polygon_upload(path: Path) -> str:
    """Tell the kind of a stranger's file of polygons, which must be a GeoPackage or GeoJSON.

    GDAL would follow what other formats name elsewhere: mosaics of vectors, schemas of GML, links
    of KML, and in these two formats views, virtual tables and coordinate systems behind a link.

    Returns:
        The ending that GDAL knows it by.

    Raises:
        TooLargeError: It is too large to be looked into.
        RequestError: It is neither, or refers to something elsewhere.
    """
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise TooLargeError(
            f"expected polygons of at most {_MOST_BYTES // 2**20} MiB, got {size / 2**20:.0f} MiB; "
            "simplify them"
        )
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            _check_geopackage(path)
            return ".gpkg"
    _check_geojson(path)
    return ".geojson"


def _check_geopackage(path: Path) -> None:
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            parts = database.execute("SELECT type, sql FROM sqlite_master").fetchall()
        finally:
            database.close()
    except sqlite3.Error as err:
        raise RequestError(
            f"expected a whole GeoPackage, the file is damaged ({err}); export it again"
        ) from err
    for kind, made_by in parts:
        made = " ".join((made_by or "").split())
        computed = kind == "table" and _COMPUTED.search(made) and _INDEX.match(made) is None
        if kind == "view" or computed:
            raise RequestError(
                "expected a GeoPackage of plain tables, it has views, virtual tables or computed "
                "columns; export the polygons to a file of their own"
            )


def _check_geojson(path: Path) -> None:
    try:
        found = json.loads(path.read_bytes(), object_pairs_hook=_object)
    except (ValueError, RecursionError) as err:
        raise RequestError(
            "expected polygons as GeoPackage or GeoJSON, the file is neither by its content; "
            "export it again"
        ) from err
    if not isinstance(found, dict) or found.get("type") not in _KINDS:
        raise RequestError(
            "expected the polygons of a GeoJSON file, its content is other JSON; export it again"
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, value in pairs:
        if key == "crs" and value is not None and not _is_named(value):
            raise RequestError(
                "expected a coordinate system by name such as EPSG:4326 in the GeoJSON file, it "
                "refers to another; write it in longitudes and latitudes"
            )
    return dict(pairs)


def _is_named(crs: Any) -> bool:
    name = crs.get("properties", {}) if isinstance(crs, dict) else {}
    name = name.get("name") if isinstance(name, dict) else None
    named = isinstance(name, str) and _CRS_NAME.fullmatch(name) is not None
    return named and str(crs.get("type")).lower() == "name"
