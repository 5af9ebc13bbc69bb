"""Fetching against a STAC API on localhost: clouds go, the ground stays."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from fetch_cases import (
    PLACE,
    SIDE,
    VEGETATION,
    add_sentinel,
    ask,
    box_of,
    ground,
    read,
    same_ground,
)
from pictures import picture
from rasterio.crs import CRS
from rasterio.warp import transform, transform_bounds
from servers.stac_catalogue import utm_grid

from app.cli.entry import run
from preprocessing.errors import RequestError
from preprocessing.fetch import CATALOGUES, Season, fetch_years
from preprocessing.pairs.store import PairStore
from preprocessing.preparation.manifest import plan_pairs, read_manifest
from preprocessing.rasters.grid import Bounds, Window
from preprocessing.rasters.io import RasterSource

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of odc-geo
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


def test_clouds_and_shadows_go_and_the_ground_stays(made, tmp_path):
    truth = ground()
    for number, col in enumerate((0, 24, 48, 72)):
        add_sentinel(
            made,
            f"scene{number}",
            f"2020-07-{10 + number}",
            truth,
            cloud=Window(0, col, SIDE, 24),
            hidden=Window(20, (col + 24) % SIDE, 40, 24),
            # Every second one was processed anew, with 1000 added.
            offset=1000 * (number % 2),
            **{"s2:processing_baseline": ("02.14", "05.11")[number % 2]},
        )
    ticks = []
    report = fetch_years(ask(made, tmp_path / "out"), progress=lambda *state: ticks.append(state))
    assert report.written == [2020]
    values, valid, grid = read(tmp_path / "out" / "sentinel-2-l2a_2020.tif")
    assert grid.crs == CRS.from_epsg(32632)
    assert valid.all()
    np.testing.assert_array_equal(values, same_ground(truth[[2, 1, 0]], grid))
    assert ticks[-1] == ("fetching", 1, 1)
    # The whole box is covered.
    west, south, east, north = transform_bounds("EPSG:4326", grid.crs, *box_of(PLACE))
    have = grid.bounds
    assert have.west <= west
    assert have.south <= south
    assert have.east >= east
    assert have.north >= north


def test_the_file_says_what_it_is(made, tmp_path):
    out = tmp_path / "out"
    for year in (2019, 2021):
        add_sentinel(made, f"early{year}", f"{year}-07-03", ground(), cloud=Window(0, 0, 96, 96))
        add_sentinel(made, f"late{year}", f"{year}-08-20", ground(seed=year))
    report = fetch_years(ask(made, out, (2019, 2021), season=Season.parse("07-01:08-31")))
    source = RasterSource.open(out / "sentinel-2-l2a_2019.tif")
    assert source.date == dt.date(2019, 7, 31)
    assert (source.encoding.low, source.encoding.high) == (0, 3000)
    assert source.encoding.dtype == "uint16"
    assert source.encoding.nodata == 0
    assert source.bands == (1, 2, 3)
    with rasterio.open(source.path) as dataset:
        tags = dataset.tags()
        assert dataset.descriptions == ("red", "green", "blue")
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert tags["ITEMS"] == "early2019,late2019"
    assert (tags["FIRST_ITEM"], tags["LAST_ITEM"]) == ("2019-07-03", "2019-08-20")
    assert tags["ATTRIBUTION"] == "Contains modified Copernicus Sentinel data 2019"
    assert tags["VALID_SHARE"] == "1.0000"
    images = read_manifest(report.manifest)
    assert [(image.year, image.gsd_m) for image in images] == [(2019, 10.0), (2021, 10.0)]
    ((earlier, later),) = plan_pairs(images)
    assert earlier.path == out / "sentinel-2-l2a_2019.tif"
    assert later.path == out / "sentinel-2-l2a_2021.tif"
    with report.manifest.open() as file:
        row = next(csv.DictReader(file))
    assert (int(row["width"]), int(row["height"])) == (source.grid.width, source.grid.height)


def test_prepare_takes_the_manifest_as_it_is(made, tmp_path):
    grid = utm_grid(176)
    truth = picture(176, 176).astype(np.uint16) * np.uint16(10)
    for year in (2019, 2021):
        changed = truth.copy()
        changed[:, 60 : 60 + 20 * (year - 2019), 60:100] = 2500
        scene_class = np.full((1, 176, 176), VEGETATION, np.uint8)
        assets = dict(zip(("B02", "B03", "B04"), changed[:, None], strict=True))
        baseline = {"s2:processing_baseline": "02.14"}
        name, date = f"scene{year}", f"{year}-07-03"
        made.add(name, date, assets | {"SCL": scene_class}, grid, properties=baseline)
    place = box_of(grid.crop(Window(4, 4, 168, 168)))
    report = fetch_years(ask(made, tmp_path / "out", (2019, 2021), bbox=place))
    store = tmp_path / "pairs.zarr"
    assert run(["prepare", str(report.manifest), "--out", str(store)]) == 0
    assert len(PairStore(store).read()) > 0


def test_false_colour_shows_the_near_infrared_as_red(made, tmp_path):
    truth = ground()
    add_sentinel(made, "scene", "2020-07-10", truth)
    fetch_years(ask(made, tmp_path, composition="false-colour"))
    values, _, grid = read(tmp_path / "sentinel-2-l2a_2020.tif")
    np.testing.assert_array_equal(values, same_ground(truth[[3, 2, 1]], grid))


def test_ground_that_is_never_clear_is_nodata(made, tmp_path):
    for day in (10, 11):
        add_sentinel(made, f"s{day}", f"2020-07-{day}", ground(), cloud=Window(40, 40, 20, 24))
    fetch_years(ask(made, tmp_path))
    _, valid, grid = read(tmp_path / "sentinel-2-l2a_2020.tif")
    hidden = np.zeros((1, SIDE, SIDE), bool)
    hidden[0, 40:60, 40:64] = True
    np.testing.assert_array_equal(valid, ~same_ground(hidden, grid)[0])


def test_the_clearest_items_are_taken_until_there_are_enough(made, tmp_path):
    for number, clouds in enumerate((60.0, 5.0, 20.0, 90.0)):
        name, date = f"scene{number}", f"2020-07-1{number}"
        add_sentinel(made, name, date, ground(), **{"eo:cloud_cover": clouds})
    fetch_years(ask(made, tmp_path, max_items=2))
    assert [made.reads_of(f"scene{number}_B04") > 0 for number in range(4)] == [
        False,
        True,
        True,
        False,
    ]


def test_landsat_keeps_its_scale_and_its_own_grid(made, tmp_path):
    grid = utm_grid(SIDE, gsd_m=30.0, shift_px=0.5)
    reflectance = ground().astype(float) / 10_000
    truth = np.rint((reflectance + 0.2) / 2.75e-5).astype(np.uint16)
    names = ("blue", "green", "red", "nir08")
    for number, col in enumerate((0, 48)):
        cloud = Window(0, col, SIDE, 48)
        pixels = truth.copy()
        pixels[:, *cloud.slices] = 60_000
        quality = np.full((1, SIDE, SIDE), 21_824, np.uint16)  # clear, low confidences
        quality[0][cloud.slices] = 22_280  # cloud of high confidence
        assets = {name: pixels[index : index + 1] for index, name in enumerate(names)}
        stated = {name: {"raster:bands": [{"scale": 2.75e-5, "offset": -0.2}]} for name in names}
        made.add(
            f"LC08_{number}",
            f"2020-07-1{number}",
            assets | {"qa_pixel": quality},
            grid,
            collection="landsat-c2-l2",
            extra=stated,
        )
    place = box_of(grid.crop(Window(10, 10, 60, 60)))
    fetch_years(ask(made, tmp_path, collection="landsat-c2-l2", bbox=place))
    path = tmp_path / "landsat-c2-l2_2020.tif"
    values, valid, got = read(path)
    assert valid.all()
    col, row = (round(v) for v in ~grid.transform @ (got.transform.c, got.transform.f))
    wanted = truth[[2, 1, 0], row : row + got.height, col : col + got.width]
    np.testing.assert_array_equal(values, wanted)
    # In units of the value range: white is a reflectance of 0.3. One step is 2.75e-5.
    unit = RasterSource.open(path).read().data
    shown = reflectance[[2, 1, 0], row : row + got.height, col : col + got.width] / 0.3
    np.testing.assert_allclose(unit, shown, atol=1e-4)


def test_naip_shows_the_newest_flight_and_fills_its_holes(made, tmp_path):
    newest, older, oldest = (
        np.concatenate([picture(SIDE, SIDE, seed=s), picture(SIDE, SIDE, seed=9)[:1]])
        for s in range(3)
    )
    newest[:, :, :40] = 0  # not flown
    grid = utm_grid(SIDE, gsd_m=1.0)
    for name, date, pixels in (
        ("oldest", "2020-05-01", oldest),
        ("newest", "2020-09-04", newest),
        ("older", "2020-06-01", older),
    ):
        made.add(name, date, {"image": pixels}, grid, collection="naip", nodata=None)
    place = box_of(grid.crop(Window(10, 12, 70, 66)))
    fetch_years(ask(made, tmp_path, collection="naip", bbox=place))
    path = tmp_path / "naip_2020.tif"
    assert RasterSource.open(path).date == dt.date(2020, 9, 4)
    values, valid, got = read(path)
    assert valid.all()
    col, row = (round(v) for v in ~grid.transform @ (got.transform.c, got.transform.f))
    wanted = np.where(newest.any(axis=0), newest, older)[:3]
    np.testing.assert_array_equal(values, wanted[:, row : row + got.height, col : col + got.width])
    assert made.reads_of("oldest_image") == 0


def test_an_item_of_the_neighbouring_zone_is_warped(made, tmp_path):
    # At 11.8 E, which is zone 32, an item of zone 33.
    east = replace(
        utm_grid(4 * SIDE, epsg=32633), transform=Affine(10, 0, 247_000, 0, -10, 5_000_010)
    )
    rows, cols = np.mgrid[: east.height, : east.width]
    truth = np.stack([1000 + 2 * (rows + cols), 1000 + 4 * rows, 1000 + 4 * cols])
    scene_class = np.full((1, *rows.shape), VEGETATION, np.uint8)
    assets = dict(zip(("B02", "B03", "B04"), truth[:, None].astype(np.uint16), strict=True))
    baseline = {"s2:processing_baseline": "02.14"}
    made.add("scene", "2020-07-01", assets | {"SCL": scene_class}, east, properties=baseline)
    fetch_years(ask(made, tmp_path, bbox=box_of(east.crop(Window(150, 150, 60, 60)))))
    values, valid, grid = read(tmp_path / "sentinel-2-l2a_2020.tif")
    assert grid.crs == CRS.from_epsg(32632)
    assert valid.all()
    got_rows, got_cols = np.mgrid[: grid.height, : grid.width] + 0.5
    xs, ys = grid.transform @ (got_cols.ravel(), got_rows.ravel())
    xs, ys = (np.asarray(v) for v in transform(grid.crs, east.crs, xs, ys))
    col, row = ~east.transform @ (xs, ys)
    wanted = 1000 + np.stack([4 * (col - 0.5), 4 * (row - 0.5), 2 * (row + col - 1)])
    # Bilinear resampling keeps a ramp; rounding to integers, and GDAL's approximate transformer,
    # allowed an eighth of a pixel, are all that differs.
    np.testing.assert_allclose(values.reshape(3, -1), wanted, atol=1.0)


def test_addresses_are_signed_where_the_catalogue_wants_it(made, tmp_path, monkeypatch):
    import planetary_computer

    from preprocessing.fetch import catalogues

    signed = catalogues.Catalogue(
        made.url, {"sentinel-2-l2a": "sentinel-2-l2a"}, signing="planetary-computer"
    )
    monkeypatch.setitem(CATALOGUES, "planetary-computer", signed)
    monkeypatch.setattr(planetary_computer, "sign", lambda href: f"{href}?token=good")
    made.troubles.need_token = True
    add_sentinel(made, "scene", "2020-07-10", ground())
    assert fetch_years(ask(made, tmp_path, catalogue="planetary-computer")).written == [2020]


def test_without_the_packages_the_extra_is_named(made, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pystac_client", None)
    with pytest.raises(RequestError, match=r"pystac_client.*pip install 'landcast\[fetch\]'"):
        fetch_years(ask(made, tmp_path))


def test_the_command_line_end_to_end(made, tmp_path, capsys):
    add_sentinel(made, "scene", "2020-07-10", ground())
    box = ",".join(str(v) for v in box_of(PLACE))
    arguments = ["fetch", "--bbox", box, "--collection", "sentinel-2-l2a", "--catalogue", made.url]
    arguments += ["--retries", "0", "--out", str(tmp_path / "out")]
    assert run([*arguments, "--years", "2020"]) == 0
    said = capsys.readouterr().out
    assert "1 year fetched" in said
    assert said.splitlines()[-1] == str(tmp_path / "out" / "manifest.csv")
    # A year that the catalogue does not have is said, and no failure.
    assert run([*arguments, "--years", "2020-2021"]) == 0
    assert "2021 is missing: no items from 2021-01-01 to 2021-12-31" in capsys.readouterr().err
    # A year that could not be read is a failure.
    add_sentinel(made, "gone", "2021-07-10", ground())
    made.troubles.absent.add("gone_B03")
    assert run([*arguments, "--years", "2020-2021"]) == 1
    said = capsys.readouterr().err
    assert "2021 failed: item gone cannot be read" in said
    assert (tmp_path / "out" / "sentinel-2-l2a_2020.tif").is_file()
    assert run([*arguments, "--years", "2021-2020"]) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bbox": Bounds(179.5, -17, -179.5, -16)}, "crosses the antimeridian"),
        ({"bbox": Bounds(11, 45, 11, 46)}, "W < E"),
        ({"bbox": Bounds(45, 11.5, 46, 11)}, "S < N"),
        ({"bbox": Bounds(0, 40, 9, 41)}, "degrees wide"),
        ({"bbox": Bounds(float("nan"), 40, 9, 41)}, "finite"),
        ({"bbox": Bounds(0, 88, 1, 89)}, "84"),
        ({"collection": "modis"}, "sentinel-2-l2a, landsat-c2-l2, naip"),
        ({"years": ()}, "years between"),
        ({"years": (1950,)}, "1950"),
        ({"gsd_m": 0.0}, "above 0"),
        ({"max_items": 0}, "max_items"),
        ({"catalogue": "ftp://somewhere"}, "http"),
        ({"catalogue": "earth-search", "collection": "naip"}, "choose another --catalogue"),
    ],
)
def test_wrong_requests_say_what_to_change(made, tmp_path, wrong, said):
    settings = {"years": (2020,)} | wrong
    with pytest.raises(RequestError, match=said):
        ask(made, tmp_path, settings.pop("years"), **settings)


def test_a_place_too_large_for_one_file_is_refused_before_the_search(made, tmp_path):
    with pytest.raises(RequestError, match="pixels a side"):
        fetch_years(ask(made, tmp_path, bbox=Bounds(0, 40, 5, 41), gsd_m=1.0))
    assert made.asked == []


def test_many_blocks_make_the_same_picture(made, tmp_path, monkeypatch):
    for number, col in enumerate((0, 24, 48, 72)):
        add_sentinel(
            made, f"s{number}", f"2020-07-1{number}", ground(), cloud=Window(0, col, SIDE, 24)
        )
    fetch_years(ask(made, tmp_path / "one"))
    monkeypatch.setattr("preprocessing.fetch.year._BLOCK", 32)
    ticks = []
    fetch_years(ask(made, tmp_path / "many"), progress=lambda *state: ticks.append(state))
    assert ticks[-1] == ("fetching", 9, 9)
    one, many = (read(tmp_path / name / "sentinel-2-l2a_2020.tif") for name in ("one", "many"))
    np.testing.assert_array_equal(one[0], many[0])
    np.testing.assert_array_equal(one[1], many[1])
