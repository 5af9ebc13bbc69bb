"""The parts of fetching that need no catalogue: seasons, grids, choice of items, medians."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.warp import transform

from preprocessing.errors import RequestError
from preprocessing.fetch import COLLECTIONS, Catalogue, FetchRequest, Season, parse_bbox
from preprocessing.fetch import parse_years as years_of
from preprocessing.fetch.composite import masked_median
from preprocessing.fetch.grid import bounds_in_degrees, footprint_mask, target_grid
from preprocessing.fetch.scenes import Scene, UnusableItemError, newest_processing, scene_of
from preprocessing.fetch.selection import by_clouds, choose_scenes, newest_first
from preprocessing.rasters.grid import Bounds

MONTH_DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2000, 12, 31)).map(lambda d: (d.month, d.day))
BASELINE = "s2:processing_baseline"


@given(MONTH_DAYS, MONTH_DAYS, st.integers(1985, 2025))
@example((2, 29), (2, 29), 1996)
@example((2, 29), (2, 28), 1995)
def test_the_middle_of_a_season_lies_in_its_year_and_window(start, end, year):
    season = Season(start, end)
    first, last = season.window(year)
    middle = season.middle(year)
    assert middle.year == year
    assert first <= middle <= last
    assert last.year - first.year == (end < start)
    # Halves differ by the leap day and by rounding at most.
    assert abs((middle - first) - (last - middle)) <= dt.timedelta(2)
    assert (middle.month, middle.day) == (season.middle(year + 1).month, season.middle(2001).day)
    assert Season.parse(str(season)) == season


def test_windows_of_seasons():
    day = dt.date
    assert Season().window(2020) == (day(2020, 1, 1), day(2020, 12, 31))
    assert Season.parse("06-01:09-15").window(2020) == (day(2020, 6, 1), day(2020, 9, 15))
    assert Season.parse("11-01:02-10").window(2020) == (day(2020, 11, 1), day(2021, 2, 10))
    assert Season.parse("12-01:03-15").window(2020) == (day(2019, 12, 1), day(2020, 3, 15))
    assert Season.parse("01-01:02-29").window(2021)[1] == day(2021, 2, 28)


@pytest.mark.parametrize("text", ["summer", "06-01", "02-30:05-01", "13-01:05-01", "6-1:9-1"])
def test_a_season_of_another_form_is_refused(text):
    with pytest.raises(RequestError, match="06-01:09-15"):
        Season.parse(text)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("2016-2018", (2016, 2017, 2018)),
        ("2020", (2020,)),
        ("2020,2016-2017, 2020", (2016, 2017, 2020)),
    ],
)
def test_years(text, years):
    assert years_of(text) == years


@pytest.mark.parametrize("text", ["", "16", "2018-2016", "2016-", "2016:2018", "-2016", "2016-18"])
def test_years_of_another_form_are_refused(text):
    with pytest.raises(RequestError, match=r"expected --years"):
        years_of(text)


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,x", "1 2 3 4"])
def test_a_box_of_another_form_is_refused(text):
    with pytest.raises(RequestError, match="W,S,E,N"):
        parse_bbox(text)
    assert parse_bbox(" -122.5, 37,-122,37.5") == (-122.5, 37, -122, 37.5)


@st.composite
def boxes(draw):
    west = draw(st.floats(-179, 178))
    south = draw(st.floats(-80, 79))
    size = st.floats(0.001, 0.3)
    return Bounds(west, south, west + draw(size), south + draw(size))


@settings(max_examples=60)
@given(boxes(), st.sampled_from([1.0, 10.0, 30.0, 7.5]), st.booleans(), st.booleans())
def test_the_grid_covers_the_box_and_little_more(box, gsd_m, centred, northern):
    grid = target_grid(box, gsd_m=gsd_m, pixel_centre_grid=centred, northern_zones=northern)
    lon, lat = np.meshgrid(np.linspace(box.west, box.east, 7), np.linspace(box.south, box.north, 7))
    xs, ys = (np.array(v) for v in transform("EPSG:4326", grid.crs, lon.ravel(), lat.ravel()))
    bounds = grid.bounds
    slack = 0.011 * gsd_m
    assert bounds.west - slack <= xs.min() <= bounds.west + 1.1 * gsd_m
    assert bounds.east - 1.1 * gsd_m <= xs.max() <= bounds.east + slack
    # Parallels bow in UTM: the outermost of 7 points may lie some pixels inside.
    assert bounds.south - slack <= ys.min()
    assert ys.max() <= bounds.north + slack
    # Edges, or centres, lie on multiples of the pixel size.
    shift = 0.5 if centred else 0.0
    for value in (grid.transform.c, grid.transform.f):
        assert (value / gsd_m - shift) % 1 == pytest.approx(0, abs=1e-6) or (
            value / gsd_m - shift
        ) % 1 == pytest.approx(1, abs=1e-6)
    zone = grid.crs.to_epsg() % 100
    assert abs((box.west + box.east) / 2 - (6 * zone - 183)) <= 3.001
    south = box.south + box.north < 0 and not northern
    assert grid.crs.to_epsg() // 100 == (327 if south else 326)


def test_a_footprint_on_the_grid():
    grid = target_grid(Bounds(9.0, 45.0, 9.02, 45.02), gsd_m=10.0)
    half = shapely.box(9.0, 45.0, 9.01, 45.03)
    inside = footprint_mask(shapely.geometry.mapping(half), grid)
    assert inside.shape == (grid.height, grid.width)
    assert inside[:, :20].mean() > 0.9
    assert not inside[:, -20:].any()
    assert inside.mean() == pytest.approx(0.5, abs=0.02)


@settings(max_examples=80)
@given(st.data())
def test_the_median_is_that_of_numpy(data):
    count = data.draw(st.integers(1, 7))
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16]))
    stack = data.draw(hnp.arrays(dtype, (count, 2, 3, 4)))
    clear = data.draw(hnp.arrays(bool, (count, 3, 4)))
    values, valid = masked_median(stack, clear)
    assert values.dtype == dtype
    np.testing.assert_array_equal(valid, clear.any(axis=0))
    for row, col in np.ndindex(3, 4):
        for band in range(2):
            seen = stack[clear[:, row, col], band, row, col]
            wanted = np.floor(np.median(seen) + 0.5) if seen.size else 0
            assert values[band, row, col] == wanted


def test_no_observation_at_all():
    values, valid = masked_median(np.zeros((0, 3, 2, 2), np.uint16), np.zeros((0, 2, 2), bool))
    assert values.shape == (3, 2, 2)
    assert not valid.any()


def test_a_place_beside_the_antimeridian_stays_on_its_side():
    for box, edge in ((Bounds(179.9, -17, 180, -16.9), 180), (Bounds(-180, 60, -179.9, 61), -180)):
        around = bounds_in_degrees(target_grid(box, gsd_m=10.0))
        assert -180 <= around.west < around.east <= 180
        assert edge in (around.west, around.east)
        assert around.east - around.west < 0.2


def scene(name: str, box: tuple[float, ...], clouds: float = 0.0, day: int = 1, **more: Any):
    ground = shapely.geometry.mapping(shapely.box(*box))
    when = dt.datetime(2020, 7, day, tzinfo=dt.UTC)
    hrefs = ("r", "g", "b")
    return Scene(name, when, ground, hrefs, (1, 1, 1), cloud_percent=clouds, **more)


@settings(max_examples=60)
@given(st.data())
def test_every_place_gets_its_best_items_and_no_item_is_idle(data):
    corner = st.integers(0, 6)
    side = st.integers(1, 8)
    scenes = []
    for index in range(data.draw(st.integers(0, 12))):
        west, south = data.draw(corner), data.draw(corner)
        box = (west, south, west + data.draw(side), south + data.draw(side))
        scenes.append(scene(f"s{index:02}", box, clouds=float(data.draw(st.integers(0, 100)))))
    layers = data.draw(st.integers(1, 4))
    chosen = choose_scenes(scenes, Bounds(0, 0, 8, 8), layers=layers, order=by_clouds)
    assert chosen == sorted(chosen, key=by_clouds)
    # Brute force on unit cells: going through all items in order, one is taken if a cell it
    # shows was shown by fewer than `layers` of those taken before.
    seen = np.zeros((8, 8), int)
    wanted = []
    for one in sorted(scenes, key=by_clouds):
        west, south, east, north = (int(v) for v in shapely.geometry.shape(one.footprint).bounds)
        cells = (slice(south, min(north, 8)), slice(west, min(east, 8)))
        if (seen[cells] < layers).any():
            wanted.append(one)
            seen[cells] += 1
    assert chosen == wanted


def test_orders_of_items():
    a = scene("a", (0, 0, 1, 1), clouds=5, day=3, second_rate=True)
    b = scene("b", (0, 0, 1, 1), clouds=50, day=2)
    assert sorted([a, b], key=by_clouds) == [b, a]
    assert sorted([b, a], key=newest_first) == [a, b]


def test_a_footprint_that_crosses_itself_is_mended():
    bowtie = {"type": "Polygon", "coordinates": [[[0, 0], [8, 8], [8, 0], [0, 8], [0, 0]]]}
    crossed = Scene("x", dt.datetime(2020, 1, 1), bowtie, ("r", "g", "b"), (1, 1, 1))
    chosen = choose_scenes([crossed], Bounds(0, 0, 8, 8), layers=1, order=by_clouds)
    assert chosen == [crossed]


def test_the_newest_processing_of_one_moment_is_kept():
    box = (0, 0, 1, 1)
    old = scene("z_old", box, tile="32TMR", processing="02.14")
    new = scene("a_new", box, tile="32TMR", processing="05.00")
    other = scene("other", box, tile="32TMS", processing="02.14")
    later = scene("later", box, day=2, tile="32TMR", processing="02.14")
    unknown = [scene("u1", box), scene("u2", box)]
    kept = newest_processing([old, new, other, later, *unknown])
    assert {one.id for one in kept} == {"a_new", "other", "later", "u1", "u2"}


def sentinel_item(properties: dict[str, Any], fields: dict[str, Any] | None = None):
    names = ("B02", "B03", "B04", "B08", "SCL")
    return {
        "id": "one",
        "geometry": {"type": "Point", "coordinates": [0, 0]},
        "properties": {"datetime": "2020-07-01T10:00:00Z", **properties},
        "assets": {name: {"href": f"https://x/{name}.tif", **(fields or {})} for name in names},
    }


@pytest.mark.parametrize(
    ("properties", "fields", "add"),
    [
        ({BASELINE: "02.14"}, {}, 0),
        ({BASELINE: "03.01"}, {}, 0),
        ({BASELINE: "04.00"}, {}, -1000),
        ({BASELINE: "05.11"}, {}, -1000),
        ({BASELINE: "05.11", "earthsearch:boa_offset_applied": True}, {}, 0),
        ({BASELINE: "05.11"}, {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}, -1000),
        ({BASELINE: "05.11"}, {"raster:bands": [{"scale": 1e-4, "offset": 0}]}, 0),
        ({}, {"raster:scale": 1e-4, "raster:offset": -0.1}, -1000),
        ({}, {"bands": [{"raster:scale": 1e-4, "raster:offset": -0.1}]}, -1000),
    ],
)
def test_the_offset_of_sentinel_2_values(properties, fields, add):
    item = sentinel_item(properties, fields)
    assert scene_of(item, COLLECTIONS["sentinel-2-l2a"], "true-colour").add == add


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"geometry": None}, "footprint"),
        ({"properties": {"datetime": "2020-07-01T10:00:00Z"}}, "baseline"),
        ({"properties": {"datetime": None, BASELINE: "05.11"}}, "date"),
        ({"assets": {"B04": {"href": "x"}, "B03": {"href": "x"}}}, "B02 or blue"),
    ],
)
def test_an_item_that_lacks_something_says_what(change, said):
    item = sentinel_item({BASELINE: "05.11"}) | change
    with pytest.raises(UnusableItemError, match=said):
        scene_of(item, COLLECTIONS["sentinel-2-l2a"], "true-colour")


def test_other_names_of_assets_and_relative_addresses():
    item = sentinel_item({BASELINE: "05.11"})
    names = ("blue", "green", "red", "nir", "scl")
    item["assets"] = {name: {"href": f"./{name}.tif"} for name in names}
    item["links"] = [{"rel": "self", "href": "https://x/items/one.json"}]
    found = scene_of(item, COLLECTIONS["sentinel-2-l2a"], "false-colour")
    assert found.hrefs == tuple(f"https://x/items/{n}.tif" for n in ("nir", "red", "green"))
    assert found.quality == "https://x/items/scl.tif"


def test_another_scale_is_refused_rather_than_mixed_in():
    item = sentinel_item({BASELINE: "05.11"}, {"raster:bands": [{"scale": 1e-3, "offset": 0}]})
    with pytest.raises(UnusableItemError, match=r"steps of 0\.001"):
        scene_of(item, COLLECTIONS["sentinel-2-l2a"], "true-colour")


def test_public_catalogues():
    preset = Catalogue.find("planetary-computer")
    assert preset.signing == "planetary-computer"
    assert Catalogue.find(preset.url + "/") is preset
    search = Catalogue.find("earth-search")
    # Its other collection states wrong offsets.
    assert search.name_of("sentinel-2-l2a") == "sentinel-2-c1-l2a"
    own = Catalogue.find("https://stac.example.org/v1/")
    assert (own.url, own.signing) == ("https://stac.example.org/v1", None)
    assert own.name_of("naip") == "naip"


@pytest.mark.parametrize("profile", COLLECTIONS.values(), ids=COLLECTIONS)
def test_black_and_white_are_sensible_reflectances(profile):
    for composition, white in (("true-colour", 0.3), ("false-colour", 0.5)):
        low, high = profile.value_range[composition]
        if profile.scale is None:
            assert (low, high) == (0, 255)
            continue
        # Within the rounding of the stored unit.
        assert low * profile.scale + profile.offset == pytest.approx(0, abs=profile.scale)
        assert high * profile.scale + profile.offset == pytest.approx(white, abs=profile.scale)


def test_what_a_request_is_told_apart_by():
    def request(**more: Any) -> FetchRequest:
        box = Bounds(9.0, 45.0, 9.1, 45.1)
        plain: dict[str, Any] = {"years": (2020,), "collection": "sentinel-2-l2a"}
        return FetchRequest(bbox=box, out=Path("out"), **(plain | more))

    same = request().identity
    for one in ({"years": (2021,)}, {"gsd_m": 10.0}, {"retries": 9}, {"overwrite": True}):
        assert request(**one).identity == same
    for one in (
        {"collection": "landsat-c2-l2"},
        {"gsd_m": 20.0},
        {"season": Season((6, 1), (9, 15))},
        {"composition": "false-colour"},
        {"catalogue": "earth-search", "collection": "sentinel-2-l2a"},
        {"max_items": 3},
    ):
        assert request(**one).identity != same
