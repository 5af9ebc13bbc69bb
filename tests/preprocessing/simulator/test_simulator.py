"""The demo world: equal for equal seeds, changing by its rules, rendered steadily."""

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from written_rasters import same_grid

from preprocessing.errors import RequestError
from preprocessing.rasters.io import read_raster
from preprocessing.simulator import (
    Cover,
    WorldConfig,
    simulate_world,
    write_world,
    write_worlds,
)
from preprocessing.simulator.appearance.sensor import Acquisition, observe
from preprocessing.simulator.appearance.textures import build_textures
from preprocessing.simulator.objects.land import live
from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.objects.towns import STEEPEST

SMALL = WorldConfig(height=128, width=160, years=2, seed=5)
LONG = WorldConfig(height=256, width=288, years=10, seed=1)


def _distance(mask):
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)


@pytest.fixture(scope="module")
def small():
    return simulate_world(SMALL)


@pytest.fixture(scope="module")
def world():
    return simulate_world(LONG)


@pytest.fixture(scope="module")
def lands():
    setting = Setting.of(LONG)
    return setting, list(live(setting))


def test_shapes_dates_and_grid(small):
    assert len(small.rasters) == len(small.covers) == 2
    assert small.clouds is None
    for index, (raster, cover) in enumerate(zip(small.rasters, small.covers, strict=True)):
        assert raster.data.shape == (3, 128, 160)
        assert raster.data.dtype == np.float32
        assert raster.grid == small.rasters[0].grid
        assert raster.grid.crs.to_epsg() == 32632
        assert raster.grid.gsd_m == pytest.approx(10.0)
        assert raster.year == 2012 + index
        assert raster.valid.all()
        assert cover.shape == (128, 160)
        assert cover.dtype == np.uint8
        assert set(np.unique(cover)) <= {int(c) for c in Cover}
    assert small.elevation_m.shape == (128, 160)
    assert np.isfinite(small.elevation_m).all()


def test_values_are_whole_bytes(small):
    stored = small.rasters[0].data * 255.0
    # float32 division and multiplication by 255 err by less than 1e-4 of a level.
    assert np.abs(stored - np.rint(stored)).max() < 1e-4


def test_equal_seed_equal_world(small):
    again = simulate_world(SMALL)
    for mine, other in zip(small.rasters, again.rasters, strict=True):
        np.testing.assert_array_equal(mine.data, other.data)
        assert mine.grid == other.grid
        assert mine.date == other.date
    for mine, other in zip(small.covers, again.covers, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_other_seed_other_world(small):
    other = simulate_world(replace(SMALL, seed=6, years=1))
    assert (other.covers[0] != small.covers[0]).mean() > 0.2
    assert np.abs(other.rasters[0].data - small.rasters[0].data).mean() > 0.02
    assert other.rasters[0].grid.transform != small.rasters[0].grid.transform


def test_number_of_years_and_clouds_leave_the_land_alone(small):
    one = simulate_world(replace(SMALL, years=1, clouds=True))
    np.testing.assert_array_equal(one.covers[0], small.covers[0])
    seen = one.rasters[0].valid
    assert 0 < (~seen).mean() < 0.6
    np.testing.assert_array_equal(seen, ~one.clouds[0])
    # Where there is no cloud, the scene is the same; under clouds it is not.
    clear = small.rasters[0].data
    np.testing.assert_allclose(one.rasters[0].data[:, seen], clear[:, seen], atol=6 / 255)
    assert np.abs(one.rasters[0].data - clear)[:, ~seen].mean() > 0.05


@pytest.mark.parametrize(
    "wrong",
    [
        {"height": 127},
        {"width": 0},
        {"years": 0},
        {"seed": -1},
        {"gsd_m": float("nan")},
        {"seasons": 1.1},
    ],
)
def test_wrong_configurations_are_refused(wrong):
    with pytest.raises(RequestError, match="expected"):
        WorldConfig(**wrong)


def test_a_believable_share_of_the_ground_changes(world):
    changed = (world.covers[0] != world.covers[8]).mean()
    assert 0.04 < changed < 0.25
    yearly = [(a != b).mean() for a, b in pairwise(world.covers)]
    assert max(yearly) < 0.06
    assert min(yearly) > 0.001


def test_no_cover_takes_all(world):
    shares = np.bincount(world.covers[0].ravel(), minlength=len(Cover)) / world.covers[0].size
    for cover in (Cover.WATER, Cover.FOREST, Cover.CROPLAND, Cover.GRASS, Cover.BUILT_UP):
        assert 0.002 < shares[cover] < 0.75, cover


def test_towns_only_grow_and_roads_stay(world):
    for before, after in pairwise(world.covers):
        assert (after[before == Cover.BUILT_UP] == Cover.BUILT_UP).all()
    first, last = world.covers[0], world.covers[-1]
    assert (last == Cover.BUILT_UP).sum() > 1.1 * (first == Cover.BUILT_UP).sum()


def test_towns_grow_at_their_edge_on_flat_dry_ground(lands):
    setting, years = lands
    grown = 0
    for before, after in pairwise(years):
        old = before.cover == Cover.BUILT_UP
        new = (after.cover == Cover.BUILT_UP) & ~old
        if not new.any():
            continue
        grown += int(new.sum())
        near = _distance(old | (before.cover == Cover.ROAD)) * setting.frame.fine_m
        assert near[new].mean() < 0.35 * near[~old].mean()
        assert not (before.cover[new] == Cover.WATER).any()
        assert setting.terrain.slope[new].max() <= STEEPEST
    assert grown > 0


def test_forest_is_lost_from_its_edges_and_grows_back(lands):
    _, years = lands
    for before, after in pairwise(years):
        closed = before.cover == Cover.FOREST
        lost = closed & np.isin(after.cover, [Cover.CLEARCUT, Cover.CROPLAND, Cover.GRASS])
        parts, labels = cv2.connectedComponents(lost.astype(np.uint8), connectivity=8)
        touching = np.unique(labels[(_distance(~closed) <= 2.0) & lost])
        assert len(touching[touching > 0]) == parts - 1
    first, last = years[0], years[-1]
    cut = (first.cover == Cover.CLEARCUT) & (last.forest_age >= 0)
    assert cut.sum() > 0.3 * (first.cover == Cover.CLEARCUT).sum()
    regrown = np.isin(last.cover[cut], [Cover.YOUNG_FOREST, Cover.FOREST])
    assert regrown.mean() > 0.95


def test_clearings_are_compact(lands):
    _, years = lands
    lost = (years[0].cover == Cover.FOREST) & (years[3].cover == Cover.CLEARCUT)
    _, _, stats, _ = cv2.connectedComponentsWithStats(lost.astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    assert np.average(areas, weights=areas) > 300


def test_only_some_fields_change_their_crop_each_year(lands):
    _, years = lands
    shares = []
    for before, after in pairwise(years):
        arable = (before.cover == Cover.CROPLAND) & (after.cover == Cover.CROPLAND)
        shares.append((before.crop != after.crop)[arable].mean())
    assert 0.06 < np.mean(shares) < 0.2
    assert len(np.unique(years[-1].owner)) < len(np.unique(years[0].owner))


def test_the_reservoir_fills_step_by_step(lands):
    _, years = lands
    areas = [int(land.still.sum()) for land in years]
    assert areas[0] == 0
    assert areas[-1] > 1000
    full = int(np.argmax(areas))
    assert all(a <= b for a, b in pairwise(areas[: full + 1]))
    assert len({a for a in areas if a > 0}) > 2


def test_ponds_swell_and_shrink_but_stay_where_they_are(lands):
    _, years = lands
    ponds = [land.pond for land in years]
    areas = np.array([int(pond.sum()) for pond in ponds])
    assert areas.min() > 1000
    assert 0.02 < areas.std() / areas.mean() < 0.5
    # A smaller pond lies within a larger one: only the level changes.
    small, large = ponds[int(areas.argmin())], ponds[int(areas.argmax())]
    assert not (small & ~large).any()
    for land in years:
        assert not (land.pond & (land.cover == Cover.BUILT_UP)).any()


def test_the_river_moves_and_leaves_sand(lands):
    setting, years = lands
    near = setting.terrain.valley_m < 10 * setting.region.river_width_m
    river = [(land.cover == Cover.WATER) & ~land.still & ~land.pond & near for land in years]
    gained = river[-1] & ~river[0]
    left = river[0] & ~river[-1]
    assert gained.sum() > 0.03 * river[0].sum()
    assert (years[-1].cover[left] == Cover.BARE).any()
    # New water lies at the old bank: a bank retreats by metres a year, not by hundreds.
    assert _distance(river[0])[gained].max() * setting.frame.fine_m < 12.0 * len(years) + 20.0


def test_misregistration_is_below_a_pixel():
    taken = [Acquisition.draw(seed, year) for seed in range(20) for year in range(20)]
    sizes = np.array([np.hypot(each.dy_px, each.dx_px) for each in taken])
    assert sizes.max() < 1.0
    assert sizes.mean() > 0.15


def test_scenes_are_shifted_by_what_the_acquisition_says():
    config = WorldConfig(height=128, width=128, years=1)
    row, col = np.indices((256, 256), dtype=np.float32)
    # A round spot whose centre of mass lies at the middle of the scene.
    spot = 0.9 * np.exp(-((row - 127.5) ** 2 + (col - 127.5) ** 2) / (2 * 9.0**2))
    ground = np.repeat(spot[..., None], 3, axis=2).astype(np.float32)
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    for dy, dx in ((0.0, 0.0), (0.4, -0.25), (-0.6, 0.6)):
        scene = observe(ground, config, Acquisition(dy, dx, ones, zeros), 0).mean(axis=0)
        scene = np.where(scene > 0.05, scene, 0.0)
        y, x = np.indices(scene.shape)
        # Noise of half a grey level moves the centre by about a hundredth of a pixel.
        assert (scene * y).sum() / scene.sum() == pytest.approx(63.5 + dy, abs=0.05)
        assert (scene * x).sum() / scene.sum() == pytest.approx(63.5 + dx, abs=0.05)


def test_texture_stays_and_change_stands_out(world, lands):
    _, years = lands
    before, after = years[0], years[6]
    same = (before.cover == after.cover) & (before.crop == after.crop)
    same &= before.owner == after.owner
    same = cv2.erode(same[::2, ::2].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    other = (world.covers[0] != world.covers[6]) & ~same
    first, last = world.rasters[0].data, world.rasters[6].data
    # The yearly cast is a gain and an offset per channel: take it out before comparing.
    flat = []
    for data in (first, last):
        mean = data[:, same].mean(axis=1)[:, None, None]
        flat.append((data - mean) / data[:, same].std(axis=1)[:, None, None])
    difference = np.abs(flat[0] - flat[1]).mean(axis=0)
    assert difference[same].mean() < 0.3 * difference[other].mean()
    # Fine detail of unchanged ground is the same, not drawn anew each year.
    fine = [data.mean(axis=0) - cv2.GaussianBlur(data.mean(axis=0), (0, 0), 3) for data in flat]
    assert np.corrcoef(fine[0][same], fine[1][same])[0, 1] > 0.6


def test_colour_cast_differs_from_year_to_year(world):
    steady = (world.covers[0] == Cover.FOREST) & (world.covers[-1] == Cover.FOREST)
    means = np.array([raster.data[:, steady].mean(axis=1) for raster in world.rasters])
    spread = means.std(axis=0) / means.mean(axis=0)
    assert (spread > 0.01).all()
    assert (spread < 0.2).all()


def test_seasons_change_grass_and_water_more_than_forest_and_nothing_of_the_land(world):
    prairie = simulate_world(replace(LONG, seasons=1.0))

    def change(scenes, cover):
        sizes = []
        for (a, b), (before, after) in zip(
            pairwise(scenes.rasters), pairwise(scenes.covers), strict=True
        ):
            same = (before == cover) & (after == cover)
            sizes.append(np.abs(b.data - a.data)[:, same].mean())
        return np.mean(sizes)

    for before, after in zip(world.covers, prairie.covers, strict=True):
        np.testing.assert_array_equal(before, after)
    more = {cover: change(prairie, cover) - change(world, cover) for cover in Cover}
    for cover in (Cover.GRASS, Cover.WATER):
        assert more[cover] > 0.5 * change(world, cover)
        assert more[cover] > 2 * more[Cover.FOREST]
    days = [raster.date.timetuple().tm_yday for raster in prairie.rasters]
    assert max(days) - min(days) > 40


def test_the_prairie_has_more_water_and_less_forest_and_houses(world):
    prairie = simulate_world(replace(LONG, landscape="prairie", years=2))

    def share(scenes, *covers):
        return np.isin(scenes.covers[0], covers).mean()

    assert share(prairie, Cover.WATER) > share(world, Cover.WATER)
    assert share(prairie, Cover.FOREST, Cover.BUILT_UP) < 0.2 * share(
        world, Cover.FOREST, Cover.BUILT_UP
    )


def test_written_world_comes_back(small, tmp_path):
    manifest = write_world(small, tmp_path / "demo", split="val")
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["split"] for row in rows] == ["val", "val"]
    assert [row["path"] for row in rows] == ["scene_2012.tif", "scene_2013.tif"]
    for row, raster, cover in zip(rows, small.rasters, small.covers, strict=True):
        back = read_raster(manifest.parent / row["path"])
        np.testing.assert_array_equal(back.data, raster.data)
        assert same_grid(back.grid, raster.grid)
        assert back.date == raster.date
        assert row["date"] == raster.date.isoformat()
        assert (row["width"], row["height"], row["bands"]) == ("160", "128", "3")
        with rasterio.open(manifest.parent / f"cover_{raster.year}.tif") as dataset:
            np.testing.assert_array_equal(dataset.read(1), cover)
            assert dataset.transform == raster.grid.transform
            assert dataset.crs == raster.grid.crs


def test_clouds_survive_the_file(tmp_path):
    world = simulate_world(replace(SMALL, years=1, clouds=True))
    manifest = write_world(world, tmp_path)
    back = read_raster(manifest.parent / "scene_2012.tif")
    np.testing.assert_array_equal(back.valid, world.rasters[0].valid)


def test_slopes_that_face_the_sun_are_brighter(lands):
    setting, _ = lands
    # Sentinel-2 passes in the morning: the sun stands in the south-east.
    light = build_textures(setting).light
    dy, dx = np.gradient(cv2.GaussianBlur(setting.terrain.elevation_m, (0, 0), 3.0))
    facing = (dx < 0) & (dy < 0)
    turned_away = (dx > 0) & (dy > 0)
    assert light[facing].mean() > 1.01 > 0.99 > light[turned_away].mean()


@pytest.mark.parametrize(("height", "width", "gsd_m"), [(128, 128, 10.0), (130, 301, 5.0)])
def test_any_size_and_pixel(height, width, gsd_m):
    world = simulate_world(WorldConfig(height=height, width=width, years=1, seed=3, gsd_m=gsd_m))
    assert world.rasters[0].data.shape == (3, height, width)
    assert world.rasters[0].grid.gsd_m == pytest.approx(gsd_m)
    assert len(np.unique(world.covers[0])) >= 6


def test_write_worlds_lists_all_in_one_manifest(tmp_path: Path) -> None:
    configs = [WorldConfig(height=128, width=128, years=2, seed=seed) for seed in (3, 4)]
    manifest = write_worlds(configs, tmp_path, split="val")
    lines = manifest.read_text().splitlines()
    assert len(lines) == 5
    assert {line.split(",")[2] for line in lines[1:]} == {"simulated_3", "simulated_4"}
    assert all((tmp_path / line.split(",")[4]).is_file() for line in lines[1:])
    assert all(line.startswith("val,") for line in lines[1:])
