"""Polygons from vector files, in any coordinate system, laid over the grid of a raster."""

from __future__ import annotations

import math
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from rasterio.warp import transform_bounds

from preprocessing.errors import MissingFileError, RequestError
from preprocessing.rasters.grid import PROJECTION_ERRORS, Bounds, Grid, Window
from preprocessing.running.disk_space import Zeros

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["box_polygon", "covered", "degrees_around", "pixel_window", "read_polygons"]

_TURN = 360.0
_PARQUET = (".parquet", ".geoparquet")
_STEPS = 32
"""Pieces that long edges are cut into, for they bend in other coordinate systems."""
_MARGIN = 0.01
_AT_ONCE = 2**24
"""Pixels that polygons are drawn on at once."""


def read_polygons(path: Path, grid: Grid) -> GeoDataFrame:
    """The polygons of a vector file that reach into a raster, with their attributes.

    Args:
        path: GeoPackage, GeoJSON, GeoParquet or any other file that pyogrio reads.
        grid: Of the raster.

    Returns:
        In the coordinate system of the grid, cut to its surroundings. Polygons given on the other
        side of the antimeridian are brought to that of the grid.

    Raises:
        MissingFileError: No such file.
        RequestError: The packages are missing, the file cannot be read, holds no polygon, several
            layers of them, or has no coordinate system, none of its polygons reaches into the
            raster, or the raster is not georeferenced.
    """
    return _on_grid(_read(path), grid, str(path))


def degrees_around(path: Path) -> Bounds:
    """The box in degrees (WGS 84) around the polygons of a vector file.

    Raises:
        RequestError: As in `read_polygons`, or they have no place on Earth.
    """
    try:
        box = Bounds(*map(float, _read(path).to_crs("EPSG:4326").total_bounds))
    except PROJECTION_ERRORS as err:
        raise RequestError(
            f"expected polygons on Earth, those of {path} cannot be placed there ({err}); "
            "reproject them"
        ) from err
    if not all(map(math.isfinite, box)):
        raise RequestError(f"expected polygons on Earth in {path}; check their coordinates")
    return box


def _read(path: Path) -> GeoDataFrame:
    """The polygons of a file, in its own coordinate system."""
    gpd = _geopandas()
    if not path.exists():
        raise MissingFileError(f"expected a file of polygons, found nothing at {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of columns that are no numbers, and the like.
            if path.suffix.lower() in _PARQUET:
                table = gpd.read_parquet(path)
            else:
                table = gpd.read_file(path, layer=_polygon_layer(path))
    except RequestError:
        raise
    except Exception as err:  # pyogrio, pyarrow and GDAL have no error in common
        raise RequestError(
            f"expected polygons such as GeoPackage or GeoJSON in {path}, they cannot be read "
            f"({type(err).__name__}: {err}); export the file again"
        ) from err
    if not hasattr(table, "geometry") or not table.geometry.notna().any():
        raise RequestError(f"expected polygons in {path}, it holds none; choose another file")
    if table.crs is None:
        raise RequestError(
            f"expected polygons with a coordinate system, {path} states none; set it, e.g. with "
            "ogr2ogr -a_srs"
        )
    flat = table.geometry.geom_type.isin(["Polygon", "MultiPolygon"])
    if not flat.any():
        kinds = ", ".join(sorted(set(table.geometry.geom_type.dropna())))
        raise RequestError(f"expected polygons in {path}, got {kinds}; buffer them first")
    return table[flat]


def box_polygon(bounds: tuple[float, float, float, float], grid: Grid) -> GeoDataFrame:
    """A box of longitudes and latitudes as a polygon, like `read_polygons`.

    Args:
        bounds: West, south, east, north in degrees; west may be greater than east across the
            antimeridian.
        grid: Of the raster.

    Raises:
        RequestError: These are no bounds, or as in `read_polygons`.
    """
    gpd, shapely = _geopandas(), import_module("shapely")
    west, south, east, north = bounds
    if not (all(map(math.isfinite, bounds)) and -90 <= south < north <= 90 and west != east):
        raise RequestError(
            "expected --bbox west,south,east,north in degrees with south < north, "
            f"got {','.join(f'{value:g}' for value in bounds)}"
        )
    east = east if east > west else east + _TURN
    box = shapely.box(west, south, east, north)
    return _on_grid(gpd.GeoDataFrame(geometry=[box], crs="EPSG:4326"), grid, "--bbox")


def covered(
    polygons: GeoDataFrame,
    grid: Grid,
    valid: NDArray[np.bool_] | None = None,
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.bool_]:
    """Valid pixels `(h, w)` whose middles lie in one of the polygons.

    Args:
        polygons: In the coordinate system of the grid.
        grid: Of the raster.
        valid: `(h, w)`; all are where None.
        zeros: Makes planes, on the disk where they are large.
    """
    found = zeros(grid.shape, np.bool_)
    step = max(1, _AT_ONCE // grid.width)
    for top in range(0, grid.height, step):
        rows = Window(top, 0, min(step, grid.height - top), grid.width)
        inside = geometry_mask(
            list(polygons.geometry),
            out_shape=rows.shape,
            transform=grid.crop(rows).transform,
            invert=True,
        )
        found[rows.slices] = inside if valid is None else inside & valid[rows.slices]
    return found


def pixel_window(polygons: GeoDataFrame, grid: Grid, *, margin: int = 0, step: int = 1) -> Window:
    """The pixels that hold the polygons and a margin around them, within the grid.

    Args:
        polygons: From `read_polygons`.
        grid: Of the raster.
        margin: Pixels.
        step: The first row and column are multiples of it.
    """
    west, south, east, north = polygons.total_bounds
    corners = [~grid.transform @ (x, y) for x in (west, east) for y in (south, north)]
    spans = []
    for axis, size in ((1, grid.height), (0, grid.width)):
        values = [corner[axis] for corner in corners]
        first = min(max(0, math.floor(min(values)) - margin), size - 1) // step * step
        last = min(size, math.ceil(max(values)) + margin)
        spans.append((first, max(last - first, 1)))
    (row, height), (col, width) = spans
    return Window(row, col, height, width)


def _on_grid(table: GeoDataFrame, grid: Grid, name: str) -> GeoDataFrame:
    shapely = import_module("shapely")
    if grid.crs is None:
        raise RequestError(
            f"expected a georeferenced raster for the polygons of {name}, it has no coordinate "
            "system; georeference it first"
        )
    there = table.crs.to_wkt()
    try:
        west, south, east, north = transform_bounds(grid.crs, there, *grid.bounds)
    except PROJECTION_ERRORS as err:
        raise RequestError(
            f"expected polygons near the raster, those of {name} are in a coordinate system that "
            f"does not reach it ({err}); reproject them"
        ) from err
    turns: tuple[float, ...] = (0.0,)
    if table.crs.is_geographic:
        east = east if east > west else east + _TURN
        turns = (0.0, -_TURN, _TURN)
    across, along = _MARGIN * (east - west), _MARGIN * (north - south)
    around = (west - across, south - along, east + across, north + along)
    longest = max(east - west, north - south) / _STEPS
    try:
        given = shapely.make_valid(table.geometry.to_numpy())
        parts = [shapely.clip_by_rect(_moved(given, by), *around) for by in turns]
        whole = [_flat(geometry) for geometry in shapely.union_all(np.stack(parts), axis=0)]
        bent = shapely.segmentize(np.array(whole, object), longest)
        found = table.set_geometry(bent, crs=table.crs).to_crs(grid.crs.to_wkt())
        corners = [(0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height)]
        reach = shapely.Polygon([grid.transform @ corner for corner in corners])
        found = found[found.geometry.intersects(reach) & ~found.geometry.is_empty]
    except shapely.errors.GEOSException as err:
        raise RequestError(
            f"expected polygons with finite coordinates, those of {name} cannot be used ({err}); "
            "mend them, e.g. with ogr2ogr -makevalid"
        ) from err
    if not len(found):
        raise RequestError(
            f"expected polygons that reach into the raster, those of {name} lie elsewhere; "
            "check their coordinates and coordinate system"
        )
    return found


def _flat(geometry: Any) -> Any:
    """The polygons of a geometry, without its lines and points."""
    shapely = import_module("shapely")
    parts = shapely.get_parts(shapely.get_parts([geometry]))
    return shapely.union_all([part for part in parts if part.geom_type == "Polygon"])


def _polygon_layer(path: Path) -> str | None:
    """The only layer of a file, or the only one of polygons."""
    layers = import_module("pyogrio").list_layers(path)
    if len(layers) < 2:
        return None
    flat = [str(name) for name, kind in layers if "Polygon" in str(kind)]
    if len(flat) != 1:
        named = ", ".join(str(name) for name, _ in layers)
        raise RequestError(
            f"expected one layer of polygons in {path}, it has {named}; export the one you mean "
            "to a file of its own"
        )
    return flat[0]


def _moved(geometries: NDArray[Any], by: float) -> NDArray[Any]:
    shapely = import_module("shapely")
    if by == 0:
        return geometries
    return np.asarray(shapely.transform(geometries, lambda points: points + np.array([by, 0.0])))


def _geopandas() -> Any:
    try:
        return import_module("geopandas")
    except ImportError as err:
        raise RequestError(
            f"expected the packages that polygons need, '{err.name}' is not installed; install "
            "them with pip install 'landcast[vector]'"
        ) from err
