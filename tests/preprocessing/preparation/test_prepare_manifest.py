from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_scenes import made_world
from prepare_cases import APART_PX, dated, places, write, write_manifest

from preprocessing.errors import (
    MissingFileError,
    RequestError,
)
from preprocessing.pairs.store import SPLITS, PairStore
from preprocessing.preparation.manifest import plan_pairs, read_manifest
from preprocessing.preparation.run import (
    PrepareConfig,
    prepare_manifest,
)
from preprocessing.rasters.dates import years_between
from preprocessing.rasters.grid import whole
from preprocessing.rasters.image_source import AveragedImage, HeldImage


def test_manifest_keeps_its_splits(tmp_path: Path) -> None:
    manifest = places(tmp_path, {"a": "train", "b": "val", "c": "train"}, (2016, 2018, 2021))
    calls: list[tuple[int, int]] = []
    report = prepare_manifest(
        manifest, tmp_path / "p.zarr", progress=lambda *done: calls.append(done)
    )
    store = PairStore(tmp_path / "p.zarr").read()
    assert calls == [(i, 9) for i in range(1, 10)]
    assert len(store) == 36
    assert report.splits == {"train": 24, "val": 12}
    for source, split in zip(store.source, store.split, strict=True):
        assert SPLITS[split] == ("val" if source.split("/")[1] == "b" else "train")
    assert sorted(set(store.years.tolist())) == [2, 3, 5]


def test_manifest_selections(tmp_path: Path) -> None:
    manifest = places(tmp_path, {"a": "train", "b": "val"}, (2016, 2018, 2021))
    report = prepare_manifest(manifest, tmp_path / "v.zarr", split="val")
    assert {pair.source for pair in report.pairs} == {
        "made/b/2016-01-01/2018-01-01",
        "made/b/2016-01-01/2021-01-01",
        "made/b/2018-01-01/2021-01-01",
    }
    few = [
        prepare_manifest(manifest, tmp_path / f"{i}.zarr", pairs_per_place=1, datasets=["made"])
        for i in range(2)
    ]
    assert len(few[0].pairs) == 2
    assert [p.source for p in few[0].pairs] == [p.source for p in few[1].pairs]
    with pytest.raises(RequestError, match="expected data sets among made"):
        prepare_manifest(manifest, tmp_path / "x.zarr", datasets=["mode"])
    with pytest.raises(RequestError, match="expected data sets to average among made"):
        prepare_manifest(manifest, tmp_path / "x.zarr", average_by_dataset={"mode": 2})
    with pytest.raises(RequestError, match="expected places without a split"):
        prepare_manifest(manifest, tmp_path / "x.zarr", PrepareConfig(val_share=0.5))


def test_manifest_without_splits_is_split_by_place(tmp_path: Path) -> None:
    manifest = places(tmp_path, dict.fromkeys("abcd", ""))
    prepare_manifest(manifest, tmp_path / "p.zarr", PrepareConfig(val_share=0.25, seed=4))
    store = PairStore(tmp_path / "p.zarr").read()
    by_place = {s.split("/")[1]: set() for s in store.source}
    for source, split in zip(store.source, store.split, strict=True):
        by_place[source.split("/")[1]].add(SPLITS[split])
    assert sorted(min(v) for v in by_place.values()) == ["train", "train", "train", "val"]
    assert all(len(v) == 1 for v in by_place.values())


def test_manifest_notes_what_it_cannot_use_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preprocessing.preparation.store_writer._BATCH", 1)
    manifest = places(tmp_path, {"a": "train", "b": "train"})
    elsewhere = dated(2018, size=130, world=made_world(77, size_px=150), east_px=APART_PX)
    write(tmp_path / "b_2018.tif", elsewhere)
    report = prepare_manifest(manifest, tmp_path / "p.zarr")
    assert [pair.source for pair in report.refused] == ["made/b/2016-01-01/2018-01-01"]
    assert "same ground" in report.refused[0].refused
    assert report.kept == 4
    assert "1 pair of rasters refused" in report.as_text()
    (tmp_path / "b_2018.tif").unlink()
    with pytest.raises(MissingFileError, match="b_2018"):
        prepare_manifest(manifest, tmp_path / "q.zarr")
    assert not (tmp_path / "q.zarr").exists()
    assert not list(tmp_path.glob(".*"))


def test_images_too_small_to_average_are_noted(tmp_path: Path) -> None:
    manifest = places(tmp_path, {"a": "train", "b": "train"})
    for year in (2016, 2018):
        write(tmp_path / f"a_{year}.tif", dated(year, size=260))
        write(tmp_path / f"b_{year}.tif", dated(year, size=1))
    report = prepare_manifest(manifest, tmp_path / "p.zarr", average_by_dataset={"made": 2})
    assert [pair.source for pair in report.refused] == ["made/b/2016-01-01/2018-01-01"]
    assert "2 x 2 pixels to average, b_2016.tif has 1 x 1" in report.refused[0].refused
    assert report.kept == 4


def test_averaged_images_without_georeference(tmp_path: Path) -> None:
    lines = []
    for year in (2016, 2018):
        name = f"s_{year}.png"
        write(tmp_path / name, dated(year, size=260), crs=False)
        lines.append({"dataset": "gif", "place": "s", "date": year, "path": name, "gsd_m": 89})
    manifest = write_manifest(tmp_path, lines)
    report = prepare_manifest(manifest, tmp_path / "p.zarr", average_by_dataset={"gif": 2})
    store = PairStore(tmp_path / "p.zarr").read()
    assert (report.pairs[0].height, report.pairs[0].width) == (130, 130)
    assert (store.gsd_m == 178).all()
    prepare_manifest(manifest, tmp_path / "q.zarr")
    assert (PairStore(tmp_path / "q.zarr").read().gsd_m == 89).all()


def test_averaging() -> None:
    raster = dated(2016, size=131)
    raster.valid[4, 4] = False
    averaged = AveragedImage(HeldImage(raster), 2)
    small = averaged.read(whole(averaged.grid))
    assert small.data.shape == (3, 65, 65)
    np.testing.assert_allclose(
        small.data[:, 3, 5], raster.data[:, 6:8, 10:12].mean(axis=(1, 2)), atol=1e-6
    )
    assert not small.valid[2, 2]
    assert small.valid.sum() == 65 * 65 - 1
    assert small.grid.gsd_m == pytest.approx(20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": "soon"}, "expected a year or YYYY-MM-DD in column date"),
        ({"split": "training"}, "expected a split of train, val, test"),
        ({"gsd_m": "fine"}, "expected metres in column gsd_m"),
    ],
)
def test_wrong_manifests(change: dict[str, object], message: str, tmp_path: Path) -> None:
    line = {"split": "val", "dataset": "d", "place": "p", "date": 2016, "path": "x", "gsd_m": 1}
    path = write_manifest(tmp_path, [{**line, **change}])
    with pytest.raises(RequestError, match=message):
        read_manifest(path)


def test_manifest_must_exist_and_have_its_columns(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_manifest(tmp_path / "none.csv")
    path = write_manifest(tmp_path, [{"dataset": "d", "place": "p"}])
    with pytest.raises(RequestError, match="missing: date, path"):
        read_manifest(path)


def test_dates_of_one_day_make_no_pair(tmp_path: Path) -> None:
    images = read_manifest(places(tmp_path, {"a": "train"}))
    assert plan_pairs([images[0], replace(images[1], date=images[0].date)]) == []
    assert [a.date < b.date for a, b in plan_pairs(images[::-1])] == [True]


def test_years_between() -> None:
    assert years_between(dt.date(2016, 1, 1), dt.date(2020, 1, 1)) == 4
    assert years_between(dt.date(2016, 8, 16), dt.date(2017, 8, 16)) == 1
    assert years_between(dt.date(2019, 1, 1), dt.date(2019, 7, 2)) == pytest.approx(0.5, abs=2e-3)
