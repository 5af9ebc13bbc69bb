"""Polygons of users, laid over rasters."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from preprocessing.areas.polygons import box_polygon, covered, pixel_window, read_polygons
from preprocessing.errors import MissingFileError, RequestError
from preprocessing.rasters.grid import Grid, Window

_GRID = Grid(100, 120, Affine(10, 0, 500_000, 0, -10, 5_000_000), CRS.from_epsg(32631))


def written(path: Path, *geometries: shapely.Geometry, crs: object = 32631, **kept: object) -> Path:
    table = gpd.GeoDataFrame(kept, geometry=list(geometries), crs=crs)
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_file(path)
    return path


def square(col: int, row: int, size: int) -> shapely.Polygon:
    """Of so many pixels."""
    x, y = 500_000 + 10 * col, 5_000_000 - 10 * row
    return shapely.box(x, y - 10 * size, x + 10 * size, y)


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.shp", "a.parquet"])
def test_polygons_of_any_format_and_coordinate_system(tmp_path: Path, name: str) -> None:
    table = gpd.GeoDataFrame({"name": ["field"]}, geometry=[square(20, 30, 40)], crs=32631)
    table = table.to_crs(4326)
    path = tmp_path / name
    table.to_parquet(path) if name.endswith("parquet") else table.to_file(path)
    found = read_polygons(path, _GRID)
    assert list(found["name"]) == ["field"]
    mask = covered(found, _GRID)
    assert mask.sum() == pytest.approx(1600, abs=10)
    assert mask[32:68, 22:58].all()
    assert pixel_window(found, _GRID, margin=8, step=4).slices[0].start in (20, 21, 22)


def test_the_window_holds_the_polygons_within_the_grid(tmp_path: Path) -> None:
    found = read_polygons(written(tmp_path / "a.gpkg", square(2, 50, 40)), _GRID)
    assert pixel_window(found, _GRID) == Window(50, 2, 40, 40)
    assert pixel_window(found, _GRID, margin=16, step=4) == Window(32, 0, 68, 58)


def test_only_polygons_that_reach_into_the_raster(tmp_path: Path) -> None:
    world = shapely.transform(shapely.box(-179, -80, 179, 80), lambda points: points)
    path = tmp_path / "world.gpkg"
    near, far = (shapely.box(x, 45.14, x + 0.01, 45.15) for x in (3.001, 8.0))
    written(path, world, near, far, crs=4326, name=["world", "near", "far"])
    found = read_polygons(path, _GRID)
    assert list(found["name"]) == ["world", "near"]
    assert covered(found.iloc[[0]], _GRID).all()


def test_boxes_and_polygons_over_the_antimeridian(tmp_path: Path) -> None:
    """A raster from 179 to 181 degrees east, and polygons given from -180 to 180."""
    grid = Grid(100, 200, Affine(0.01, 0, 179, 0, -0.01, 10), CRS.from_epsg(4326))
    by_box = covered(box_polygon((179.5, 9.4, -179.5, 9.8), grid), grid)
    assert by_box.sum() == 40 * 100
    split = shapely.MultiPolygon(
        [shapely.box(179.5, 9.4, 180, 9.8), shapely.box(-180, 9.4, -179.5, 9.8)]
    )
    path = written(tmp_path / "a.geojson", split, crs=4326)
    np.testing.assert_array_equal(covered(read_polygons(path, grid), grid), by_box)
    projected = Grid(100, 120, Affine(100, 0, 820_000, 0, -100, 1_100_000), CRS.from_epsg(32660))
    east, west = (
        covered(box_polygon(b, projected), projected)
        for b in ((179.95, 9.0, 180.2, 9.95), (-180.05, 9.0, -179.8, 9.95))
    )
    assert east.any()
    np.testing.assert_array_equal(east, west)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nothing at"):
        read_polygons(tmp_path / "none.gpkg", _GRID)
    (tmp_path / "text.geojson").write_text("no polygons")
    with pytest.raises(RequestError, match="cannot be read"):
        read_polygons(tmp_path / "text.geojson", _GRID)
    points = written(tmp_path / "points.gpkg", shapely.Point(500_100, 4_999_900))
    with pytest.raises(RequestError, match="got Point; buffer"):
        read_polygons(points, _GRID)
    away = written(tmp_path / "away.gpkg", square(5000, 0, 10))
    with pytest.raises(RequestError, match="lie elsewhere"):
        read_polygons(away, _GRID)
    unknown = written(tmp_path / "unknown.gpkg", square(0, 0, 10), crs=None)
    with pytest.raises(RequestError, match="states none"):
        read_polygons(unknown, _GRID)
    with pytest.raises(RequestError, match="georeferenced"):
        read_polygons(away, Grid(100, 120, Affine.identity()))
    for bounds in ((0, 5, 1, 4), (0, float("nan"), 1, 4), (2, 1, 2, 4)):
        with pytest.raises(RequestError, match="--bbox west,south,east,north"):
            box_polygon(bounds, _GRID)  # type: ignore[arg-type]


def test_a_bow_tie_is_mended(tmp_path: Path) -> None:
    x, y = 500_100, 4_999_900
    tie = shapely.Polygon([(x, y), (x + 400, y - 400), (x + 400, y), (x, y - 400)])
    found = read_polygons(written(tmp_path / "tie.gpkg", tie), _GRID)
    assert covered(found, _GRID).sum() == pytest.approx(800, abs=60)


def test_spikes_and_lines_have_no_area(tmp_path: Path) -> None:
    x, y = 500_100, 4_999_900
    square = [(x, y), (x, y - 200), (x + 200, y - 200), (x + 200, y)]
    spike = shapely.Polygon([*square, (x + 200, y + 90), (x + 200, y)])
    line = shapely.Polygon([(x, y - 400), (x + 300, y - 400), (x, y - 400)])
    path = written(tmp_path / "spike.gpkg", spike, line, name=["spike", "line"])
    found = read_polygons(path, _GRID)
    assert list(found["name"]) == ["spike"]
    assert covered(found, _GRID).sum() == 400


def test_long_edges_bend_as_they_do_on_the_ground(tmp_path: Path) -> None:
    """A parallel is no straight line in UTM: a file and `--bbox` mark the same pixels."""
    grid = Grid(400, 400, Affine(500, 0, 400_000, 0, -500, 6_800_000), CRS.from_epsg(32631))
    path = written(tmp_path / "wide.geojson", shapely.box(0, 60, 20, 61), crs=4326)
    by_file = covered(read_polygons(path, grid), grid)
    assert by_file.any()
    np.testing.assert_array_equal(by_file, covered(box_polygon((0, 60, 20, 61), grid), grid))


def test_a_file_of_several_layers(tmp_path: Path) -> None:
    path = tmp_path / "layers.gpkg"
    points = gpd.GeoDataFrame(geometry=[shapely.Point(500_100, 4_999_900)], crs=32631)
    points.to_file(path, layer="trees")
    gpd.GeoDataFrame(geometry=[square(2, 3, 4)], crs=32631).to_file(path, layer="fields")
    assert covered(read_polygons(path, _GRID), _GRID).sum() == 16
    gpd.GeoDataFrame(geometry=[square(2, 3, 5)], crs=32631).to_file(path, layer="parcels")
    with pytest.raises(RequestError, match="it has trees, fields, parcels; export"):
        read_polygons(path, _GRID)


def test_coordinates_that_are_no_numbers(tmp_path: Path) -> None:
    wild = shapely.Polygon([(500_100, 4_999_900), (np.inf, 4_999_800), (500_200, 4_999_700)])
    with pytest.raises(RequestError, match=r"wild\.gpkg cannot be used"):
        read_polygons(written(tmp_path / "wild.gpkg", wild), _GRID)
    nothing = gpd.GeoDataFrame({"a": [1]}, geometry=[None], crs=32631)
    nothing.to_file(tmp_path / "nothing.gpkg")
    with pytest.raises(RequestError, match="it holds none"):
        read_polygons(tmp_path / "nothing.gpkg", _GRID)


def test_polygons_beside_a_rotated_raster(tmp_path: Path) -> None:
    turned = Affine(10, 0, 500_000, 0, -10, 5_000_000) @ Affine.rotation(45)
    corner = written(tmp_path / "corner.gpkg", square(-60, 2, 8))
    with pytest.raises(RequestError, match="lie elsewhere"):
        read_polygons(corner, Grid(100, 120, turned, CRS.from_epsg(32631)))
