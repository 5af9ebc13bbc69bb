"""Metres and footprints of grids anywhere on the earth."""

from __future__ import annotations

from pathlib import Path

import pytest
from affine import Affine
from pictures import picture
from rasterio.crs import CRS
from shapely.geometry import shape
from written_rasters import write

from app.cli.entry import run
from app.forecasts.footprint import footprint
from preprocessing.errors import CloudMaskError
from preprocessing.masks.clouds import CloudSource
from preprocessing.rasters.grid import Grid

UTM = CRS.from_epsg(32632)
PLACE = Affine(10, 0, 500_000, 0, -10, 5_000_000)


def test_metres_are_those_on_the_ground_in_any_projection() -> None:
    """Helsinki, 60 degrees north: Mercator's metres are twice the ground's."""
    mercator = Affine(10, 0, 2_770_000, 0, -10, 8_399_738)
    google = CRS.from_string("+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +units=m")
    world = CRS.from_epsg(3395)
    for crs in (CRS.from_epsg(3857), google, world):
        assert Grid(128, 128, mercator, crs).gsd_m == pytest.approx(5.0, rel=0.01)
    assert Grid(128, 128, Affine(5, 0, 385_000, 0, -5, 6_653_000), UTM).gsd_m == 5
    plate = Grid(9, 9, Affine(100, 0, 2_700_000, 0, -100, 6_680_000), CRS.from_epsg(32662))
    assert plate.gsd_m == pytest.approx(100 * 0.5**0.5, rel=0.01)


MINE = CRS.from_wkt(
    'LOCAL_CS["Mine grid",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
)
PIT = Affine(5, 0, 1000, 0, -5, 9000)


def test_a_grid_of_no_place_on_earth_has_the_metres_of_its_unit() -> None:
    grid = Grid(128, 128, PIT, MINE)
    assert grid.gsd_m == 5
    assert footprint(grid) == (None, None)


@pytest.mark.parametrize("later", [MINE, UTM], ids=["mine", "utm"])
def test_images_of_no_place_on_earth_are_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], later: CRS
) -> None:
    pixels = picture(160, 160)
    first = write(tmp_path / "a_2016.tif", pixels, crs=MINE, transform=PIT)
    second = write(tmp_path / "b_2018.tif", pixels, crs=later, transform=PIT)
    out = tmp_path / "pairs.zarr"
    code = run(["prepare", str(first), str(second), "--out", str(out)])
    assert code == (0 if later == MINE else 2)
    assert out.exists() == (code == 0)
    assert "(add --debug" not in capsys.readouterr().err


def test_a_mask_that_nothing_leads_to_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mask.tif", picture(160, 160)[:1] * 0, crs=MINE, transform=PIT)
    mask = CloudSource.open(path, "mask")
    with pytest.raises(CloudMaskError, match="nothing leads"):
        mask.clear(Grid(160, 160, PIT, UTM))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (32701, Affine(10, 0, 180_000, 0, -10, 8_100_000)),
        (4326, Affine(1e-4, 0, 179.9936, 0, -1e-4, -17)),
        (4326, Affine(1e-4, 0, -180.0064, 0, -1e-4, -17)),
    ],
)
def test_footprints_across_the_antimeridian_have_a_part_on_either_side(
    crs: int, transform: Affine
) -> None:
    bbox, geometry = footprint(Grid(128, 128, transform, CRS.from_epsg(crs)))
    assert bbox is not None
    assert geometry is not None
    outline = shape(geometry)
    assert geometry["type"] == "MultiPolygon"
    assert outline.is_valid
    assert outline.area < 1e-3
    assert all(part.exterior.is_ccw for part in outline.geoms)
    assert outline.bounds[0] == -180
    assert outline.bounds[2] == 180
    assert 179 < bbox[0] <= 180
    assert -180 <= bbox[2] < -179
    assert bbox[1] < bbox[3]


def test_a_footprint_around_a_pole_goes_around_the_earth() -> None:
    polar = Grid(100, 100, Affine(1e4, 0, -5e5, 0, -1e4, 5e5), CRS.from_epsg(3031))
    bbox, geometry = footprint(polar)
    assert bbox is not None
    assert geometry is not None
    assert bbox[0] == -180
    assert bbox[1] == -90
    assert bbox[2] == 180
    assert shape(geometry).is_valid
