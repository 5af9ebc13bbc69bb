"""Series in memory and on disk: tiles make the place again, colours of one date for all."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_scenes import made_world, view

from preprocessing.errors import OutputExistsError, SeriesStoreError
from preprocessing.pairs.store import PairStore
from preprocessing.rasters.image_source import HeldImage
from preprocessing.rasters.window import Window
from preprocessing.series import PlaceLabel, PlaceSeries, SeriesStore
from preprocessing.series.config import SeriesConfig
from preprocessing.series.report import DateReport, PlaceReport
from preprocessing.series.writer import SeriesWriter

DATES = (dt.date(2015, 1, 1), dt.date(2016, 7, 2), dt.date(2020, 1, 1))


def _label(name: str, height: int, width: int) -> PlaceLabel:
    return PlaceLabel(name, "made", "val", 10.0, height, width, DATES, DATES[-1])


def _images(height: int, width: int, seed: int) -> list[HeldImage]:
    rng = np.random.default_rng(seed)
    world = view(made_world(12, size_px=520), row_q=0, col_q=0, height=height, width=width)
    return [
        HeldImage(
            replace(
                world,
                data=rng.integers(0, 256, (3, height, width)).astype(np.float32) / 255,
                valid=rng.random((height, width)) > 0.1,
            )
        )
        for _ in DATES
    ]


def _write(path: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    with SeriesWriter(path) as writer:
        for seed, (name, size) in enumerate(sizes.items()):
            writer.add_place(_label(name, *size), _images(*size, seed))
            writer.add_report(PlaceReport(name, "made", "val", tuple(map(DateReport, DATES))))
        writer.finish(SeriesConfig())
    return path


def test_tiles_make_the_place_again(tmp_path: Path) -> None:
    sizes = {"a/b": (200, 260), "c": (128, 128), "small": (40, 12)}
    store = SeriesStore.open(_write(tmp_path / "s.zarr", sizes))
    assert store.names == ("a/b", "c", "small")
    for seed, (name, (height, width)) in enumerate(sizes.items()):
        place = store.place(name)
        for date, image in enumerate(_images(height, width, seed)):
            raster = image.read(Window(0, 0, height, width))
            np.testing.assert_array_equal(place.valid[date], raster.valid)
            levels = np.where(raster.valid, np.rint(raster.data * 255), 0)
            np.testing.assert_array_equal(place.images[date], levels)
        assert place.years.tolist() == [2015.0, 2016 + 183 / 366, 2020.0]
        assert (place.dataset, place.split, place.gsd_m) == ("made", "val", 10.0)


def test_tiles_are_padded_with_nothing(tmp_path: Path) -> None:
    store = SeriesStore.open(_write(tmp_path / "s.zarr", {"a": (200, 260)}))
    corners = store.labels["a"].corners
    assert corners == [(0, 0), (0, 128), (0, 256), (128, 0), (128, 128), (128, 256)]
    place = store.place("a")
    for (row, col), tile in zip(corners, store.tiles("a"), strict=True):
        assert tile.images.shape == (3, 3, 128, 128)
        h, w = min(128, 200 - row), min(128, 260 - col)
        np.testing.assert_array_equal(
            tile.images[..., :h, :w], place.images[..., row : row + h, col : col + w]
        )
        assert not tile.valid[:, h:].any()
        assert not tile.valid[..., w:].any()
        assert not tile.images[..., h:, :].any()
    with pytest.raises(IndexError):
        store.tile("a", 6)


def test_the_format_is_open_to_any_zarr_reader(tmp_path: Path) -> None:
    import zarr

    group = zarr.open_group(_write(tmp_path / "s.zarr", {"a": (200, 260)}), mode="r")
    assert group.attrs["format"] == "landcast-series/1"
    place = group[group.attrs["places"][0]["path"]]
    assert place["images"].shape == (6, 3, 3, 128, 128)
    assert place["images"].metadata.dimension_names == ("tile", "date", "band", "y", "x")
    assert place["valid"].metadata.dimension_names == ("tile", "date", "y", "x")
    assert place.attrs["row"] == [0, 0, 0, 128, 128, 128]
    assert place.attrs["col"] == [0, 128, 256, 0, 128, 256]
    assert place.attrs["dates"] == ["2015-01-01", "2016-07-02", "2020-01-01"]


def test_places_are_chosen_by_split_and_data_set(tmp_path: Path) -> None:
    store = SeriesStore.open(_write(tmp_path / "s.zarr", {"a": (40, 40), "b": (40, 40)}))
    assert store.select(split="val") == store.select(dataset="made") == ("a", "b")
    assert store.select(split="train") == ()
    with pytest.raises(SeriesStoreError, match=r"expected a place of .*\(a, b\), got 'c'"):
        store.place("c")


def test_nothing_is_left_of_work_that_fails(tmp_path: Path) -> None:
    out = _write(tmp_path / "s.zarr", {"a": (40, 40)})
    before = sorted(tmp_path.iterdir())

    def unreadable() -> Iterator[HeldImage]:
        yield _images(40, 40, 0)[0]
        raise SeriesStoreError

    with pytest.raises(SeriesStoreError), SeriesWriter(out, overwrite=True) as writer:
        writer.add_place(_label("b", 40, 40), unreadable())
    assert sorted(tmp_path.iterdir()) == before
    assert SeriesStore.open(out).names == ("a",)


def test_an_existing_store_is_replaced_only_if_asked(tmp_path: Path) -> None:
    out = _write(tmp_path / "s.zarr", {"a": (40, 40)})
    with pytest.raises(OutputExistsError, match="expected no store at"):
        SeriesWriter(out)
    with SeriesWriter(out, overwrite=True) as writer:
        writer.add_place(_label("b", 40, 40), _images(40, 40, 0))
        writer.finish(SeriesConfig())
    assert SeriesStore.open(out).names == ("b",)
    report = json.loads((tmp_path / "s.report" / "report.json").read_text())
    assert report["store"] == "s.zarr"
    PairStore.create(tmp_path / "pairs.zarr")
    with pytest.raises(OutputExistsError, match="expected a series store to overwrite"):
        SeriesWriter(tmp_path / "pairs.zarr", overwrite=True)


def test_other_stores_are_refused(tmp_path: Path) -> None:
    PairStore.create(tmp_path / "pairs.zarr")
    with pytest.raises(SeriesStoreError, match=r"landcast-series/1.*got 'landcast-pairs/1'"):
        SeriesStore.open(tmp_path / "pairs.zarr")
    with pytest.raises(SeriesStoreError, match=r"expected a series store at .*, found none"):
        SeriesStore.open(tmp_path / "none.zarr")
    out = _write(tmp_path / "s.zarr", {"a": (40, 40)})
    for path in (out / "00000" / "images").rglob("c/**/*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    with pytest.raises(SeriesStoreError, match="cannot be read"):
        SeriesStore.open(out).place("a")


def _series(images: np.ndarray, valid: np.ndarray | None = None) -> PlaceSeries:
    seen = np.ones((len(images), *images.shape[2:]), bool) if valid is None else valid
    years = np.arange(2000.0, 2000.0 + len(images))
    return PlaceSeries("a", "made", "train", 10.0, years, images, seen)


def test_wrong_series_are_refused() -> None:
    images = np.zeros((2, 3, 40, 40), np.uint8)
    with pytest.raises(ValueError, match="whole cells"):
        _series(images[..., :38])
    with pytest.raises(ValueError, match="rising years"):
        replace(_series(images), years=np.array([2001.0, 2000.0]))
    with pytest.raises(ValueError, match="for 2 dates"):
        replace(_series(images), images=images[:1])


def _lit_series() -> tuple[np.ndarray, np.ndarray]:
    """Six dates of one ground under light of their own; a town grows in a corner."""
    rng = np.random.default_rng(0)
    ground = view(made_world(12, size_px=520), row_q=0, col_q=0, height=160, width=160).data
    truth, seen = [], []
    for date in range(6):
        now = ground.copy() * 150 + 30
        now[:, :64, : 16 * date] = np.array([200, 190, 180])[:, None, None]
        gain, haze = rng.uniform(0.75, 1.1, (3, 1, 1)), rng.uniform(0, 25, (3, 1, 1))
        truth.append(now)
        seen.append(gain * now + haze if date != 4 else now)
    rounded = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    return np.array(truth), rounded


def test_light_is_that_of_one_date_and_the_town_stays() -> None:
    truth, seen = _lit_series()
    series = _series(seen)
    matched = series.in_colours_of(4)
    np.testing.assert_array_equal(matched.images[4], seen[4])
    before = np.abs(seen.astype(float) - truth).mean((1, 2, 3))
    after = np.abs(matched.images - truth).mean((1, 2, 3))
    assert (after < 1.5).all(), (before, after)
    cells, valid = series.cells_in_colours_of(4)
    assert valid.all()
    assert np.abs(cells - matched.cells()).max() < 2  # Rounded and clipped, or not.


def test_dates_without_common_ground_have_no_colours() -> None:
    _, seen = _lit_series()
    valid = np.ones((6, 160, 160), bool)
    valid[1] = False
    valid[3, :, :80] = False
    matched = _series(seen, valid).in_colours_of(-1)
    assert matched.valid.any((1, 2)).tolist() == [True, False, True, True, True, True]
    np.testing.assert_array_equal(matched.valid, valid)
    assert not matched.images[3, :, :, :80].any()
    _, known = _series(seen, valid).cells_in_colours_of(-1)
    np.testing.assert_array_equal(known[3], np.arange(40) >= 20 * np.ones((40, 1)))
