from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import torch
from pictures import picture
from region_cases import ground_of

from forecast.network.conditions import (
    CONDITIONS,
    PAST_CHANNELS,
    Earlier,
    Tone,
    conditions,
)
from forecast.region.earlier import EarlierCells
from forecast.region.familiarity import Familiarity, region_familiarity, tile_features
from forecast.region.images import image_paths, open_images
from forecast.region.region_conditions import PastChange, region_conditions
from preprocessing.errors import DateError, MissingFileError, ModelFolderError

Make = Callable[..., Path]


def earlier_cells(dates: int, height: int, width: int) -> EarlierCells:
    generator = np.random.default_rng(1)
    return EarlierCells(
        generator.uniform(0, 1, (dates, 3, height, width)).astype(np.float16),
        generator.random((dates, height, width)) < 0.8,
        np.array([1.0, 4.0, 9.5][:dates], np.float32),
    )


@pytest.mark.parametrize("dates", [0, 3])
def test_conditions_do_not_depend_on_the_blocks(dates: int) -> None:
    cells = np.random.default_rng(0).uniform(0, 1, (3, 60, 70)).astype(np.float32)
    earlier = earlier_cells(dates, 60, 70)
    tone = Tone.of(torch.from_numpy(cells)[None])
    whole = conditions(
        torch.from_numpy(cells)[None],
        Earlier(
            torch.from_numpy(earlier.cells.astype(np.float32))[None],
            torch.from_numpy(earlier.known)[None],
            torch.from_numpy(earlier.years)[None],
        ),
        tone,
    )[0]
    result = np.empty((CONDITIONS, 60, 70), np.float16)
    region_conditions(cells, earlier, tone, result, block=17)
    np.testing.assert_allclose(result, whole.numpy(), atol=4e-3)  # half of float16's step at 4


def test_ground_that_changed_before_changes_more(make_raster: Make, tmp_path: Path) -> None:
    start, before = make_raster("region_2020.tif"), tmp_path / "region_2017.tif"
    with rasterio.open(start) as now:
        image, profile = now.read(), now.profile
    image[:, 40:80, 40:80] = 255 - image[:, 40:80, 40:80]
    with rasterio.open(before, "w", **{**profile, "driver": "GTiff"}) as earlier:
        earlier.write(image)
    alone = ground_of([start], tmp_path / "alone")
    ground = ground_of([before, start], tmp_path / "ground")
    every = slice(0, len(ground.seen))
    odds = PastChange(ground.view.conditions, ground.seen).odds(every)
    assert odds[12:18, 12:18].min() > odds[:37, 32:42].max() + 1
    never = PastChange(alone.view.conditions, alone.seen)
    assert not never.filled(never.odds(every), every).any()


def test_gaps_of_earlier_dates_leave_no_trace(make_raster: Make, tmp_path: Path) -> None:
    start, before = make_raster("region_2020.tif"), tmp_path / "region_2017.tif"
    gap = np.ones((150, 170), bool)
    gap[:, 80:120] = False
    with rasterio.open(start) as now:
        noise = np.random.default_rng(0).normal(0, 2, (3, 150, 170))
        image, profile = (now.read() + noise).clip(1, 255) * gap, now.profile
    with rasterio.open(before, "w", **{**profile, "driver": "GTiff", "nodata": 0}) as earlier:
        earlier.write(image.astype(np.uint8))
    ground = ground_of([before, start], tmp_path / "ground")
    every, past = slice(None), PastChange(ground.view.conditions, ground.seen)
    odds = past.filled(past.odds(every), every)
    known = ground.view.conditions[PAST_CHANNELS[-1]] > 0
    inside, outside = (odds[ground.seen & where] for where in (~known, known))
    assert inside.size > 300
    assert inside.mean() == pytest.approx(outside.mean(), abs=0.01)
    assert outside.mean() < -0.5  # Calm ground: taken as usual, the gap would stand out.


def test_the_start_becomes_an_earlier_date() -> None:
    earlier = earlier_cells(2, 5, 6)
    later = earlier.after(np.full((3, 5, 6), 0.5, np.float32), 10)
    np.testing.assert_allclose(later.years, [11, 14, 10])
    assert later.known[2].all()
    np.testing.assert_allclose(later.cells[2], 0.5)


def test_history_in_any_order_gives_the_same_conditions(make_raster: Make, tmp_path: Path) -> None:
    hidden = np.ones((150, 170), bool)
    hidden[:60, 40:90] = False
    paths = [
        make_raster("place_2012.tif", seed=0, valid=hidden, nodata=0),
        make_raster("place_2017-06-01.tif", seed=0),
        make_raster("place_2020.tif", seed=0),
    ]
    told = [
        ground_of(order, tmp_path / str(n))
        for n, order in enumerate((paths, paths[::-1], [paths[2], paths[0], paths[1]]))
    ]
    assert told[0].earlier.years.tolist() == pytest.approx([8, 2.586], abs=0.01)
    known = told[0].earlier.known
    assert not known[0, :15, 10:22].any()
    assert known[0, 16:, :10].all()
    for ground in told[1:]:
        np.testing.assert_array_equal(ground.view.conditions, told[0].view.conditions)


def test_another_light_is_no_change_and_change_is(make_raster: Make, tmp_path: Path) -> None:
    start = make_raster("place_2020.tif", seed=0)
    darker = make_raster("place_2016.tif", seed=0, scale=0.7)
    ground = ground_of([darker, start], tmp_path / "light")
    np.testing.assert_allclose(
        ground.earlier.cells[0].astype(np.float32), ground.cells, atol=2 / 255
    )


def test_images_that_show_another_place_are_left_out(make_raster: Make, tmp_path: Path) -> None:
    paths = [make_raster("a_2015.tif", seed=5), make_raster("b_2020.tif", seed=0)]
    ground = ground_of(paths, tmp_path / "ground")
    assert len(ground.left_out) == 1
    assert "a_2015.tif" in ground.left_out[0]
    assert ground.earlier.cells.shape[0] == 0


def test_the_last_date_is_the_start(make_raster: Make) -> None:
    paths = [make_raster(f"place_{year}.tif") for year in (2020, 2014, 2017)]
    images = open_images(paths)
    assert images.start_year == 2020
    assert [image.years for image in images.earlier] == [6, 3]
    # A stated year is that of the image named last.
    undated = make_raster("undated.tif")
    assert open_images([*paths, undated], year=2022).start.path == str(undated)
    with pytest.raises(DateError, match="undated"):
        open_images([undated, *paths])
    with pytest.raises(DateError, match="from before"):
        open_images([paths[0], undated], year=2019)
    with pytest.raises(DateError, match="from before"):
        open_images([paths[0], make_raster("same_2020.tif")])
    with pytest.raises(DateError, match=r"one image of a date, got .*2014.* and .*again_2014"):
        open_images([*paths, make_raster("again_2014.tif")])


def test_folders_and_collections_name_their_images(make_raster: Make, tmp_path: Path) -> None:
    paths = [make_raster(f"place_{year}.tif") for year in (2014, 2017)]
    folder = tmp_path / "series"
    folder.mkdir()
    for path in paths:
        path.rename(folder / path.name)
    (folder / "manifest.csv").write_text("not a raster")
    assert [p.name for p in image_paths([folder])] == ["place_2014.tif", "place_2017.tif"]
    catalogue = pystac.Catalog("places", "made")
    for path in sorted(folder.glob("*.tif")):
        item = pystac.Item(
            path.stem,
            None,
            None,
            datetime=None,
            properties={
                "start_datetime": "2014-01-01T00:00:00Z",
                "end_datetime": "2014-02-01T00:00:00Z",
            },
        )
        item.add_asset("data", pystac.Asset(str(path), roles=["data"]))
        item.add_asset("shown", pystac.Asset(str(path.with_suffix(".png")), roles=["overview"]))
        catalogue.add_item(item)
    catalogue.normalize_hrefs(str(tmp_path / "stac"))
    catalogue.save(catalog_type=pystac.CatalogType.SELF_CONTAINED)
    found = image_paths([tmp_path / "stac" / "catalog.json"])
    assert {p.name for p in found} == {"place_2014.tif", "place_2017.tif"}
    assert all(p.is_file() for p in found)
    with pytest.raises(MissingFileError, match="name the images"):
        image_paths([tmp_path / "stac"])


def test_dates_of_a_collection_count_before_those_of_names(make_raster: Make) -> None:
    first, last = make_raster("made_2024_2.tif"), make_raster("made_2024_1.tif")
    images = open_images({first: dt.date(2014, 7, 1), last: dt.date(2017, 7, 1)})
    assert images.start.path == str(last)
    assert (images.start_year, images.start.date) == (2017, dt.date(2017, 7, 1))
    (earlier,) = images.earlier
    assert earlier.years == pytest.approx(3, abs=0.01)


def tiles(count: int, *, contrast: float = 1.0, seed: int = 0) -> torch.Tensor:
    stacked = np.stack([picture(128, 128, seed=seed + n) for n in range(count)]) / 255
    return torch.from_numpy((0.5 + contrast * (stacked - 0.5)).astype(np.float32))


def test_features_do_not_depend_on_the_order_of_the_bands() -> None:
    images = tiles(3)
    gsd_m = torch.tensor([10.0, 0.0, 30.0])
    features = tile_features(images, gsd_m)
    assert features.shape == (3, 12)
    np.testing.assert_allclose(tile_features(images[:, [2, 0, 1]], gsd_m), features, atol=1e-7)
    assert np.isnan(features[1, -1])
    assert np.isfinite(features[[0, 2]]).all()


def test_unseen_kinds_of_images_are_less_familiar(tmp_path: Path) -> None:
    gsd_m = torch.full((60,), 10.0)
    fitted = Familiarity.fit(tiles(60), gsd_m)
    (tmp_path / "config.json").write_text("{}")
    fitted.save(tmp_path)
    loaded = Familiarity.load(tmp_path)
    assert loaded is not None
    own = loaded.score(tiles(60), gsd_m)
    np.testing.assert_allclose(own, fitted.score(tiles(60), gsd_m))
    assert (own > 1).mean() == pytest.approx(0.01, abs=0.02)
    flat = loaded.score(tiles(5, contrast=0.1, seed=100), gsd_m[:5])
    assert (flat > 2).all()
    near, near_share = region_familiarity(loaded, tiles(1)[0].numpy(), 10.0)
    far, far_share = region_familiarity(loaded, tiles(1, contrast=0.1)[0].numpy(), 10.0)
    assert near.shape == (32, 32)
    assert near.min() > 0.95
    assert near_share == 0
    assert far.max() < 0.25
    assert far_share == 1
    everywhere, unknown = region_familiarity(None, tiles(1)[0].numpy(), 10.0)
    assert (everywhere == 1).all()
    assert unknown is None
    assert replace(loaded, far=2 * loaded.far).score(tiles(1), gsd_m[:1])[0] < own[0]


def test_a_model_without_or_with_damaged_features(tmp_path: Path) -> None:
    assert Familiarity.load(tmp_path) is None
    (tmp_path / "familiarity.safetensors").write_bytes(json.dumps({}).encode())
    with pytest.raises(ModelFolderError, match="features of training tiles"):
        Familiarity.load(tmp_path)
