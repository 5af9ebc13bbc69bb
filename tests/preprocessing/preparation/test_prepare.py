from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from made_scenes import made_world
from PIL import Image
from prepare_cases import CONFIG, dated, prepare_rasters, write

from preprocessing.errors import (
    DateError,
    NoOverlapError,
    NoValidPixelsError,
    OutputExistsError,
    RegistrationError,
)
from preprocessing.pairs.store import SPLITS, PairStore
from preprocessing.preparation.run import (
    PrepareConfig,
    prepare_pair,
)
from preprocessing.rasters.raster import Raster
from preprocessing.tiles.filters import Reason
from preprocessing.tiles.tiling import plan_tiles


def test_shift_and_colour_are_removed() -> None:
    earlier, later = dated(2016), dated(2018, row_q=40 + 13, col_q=40 - 6)
    pairs, report = prepare_rasters(earlier, later, CONFIG, source="set/place/a/b")
    assert abs(report.dy_px - 13 / 4) < 0.1
    assert abs(report.dx_px + 6 / 4) < 0.1
    assert report.residual_px < 0.05
    assert report.histogram_after < 0.2 * report.histogram_before
    seen = np.repeat(pairs.valid[:, None], 3, axis=1)
    error = np.abs(pairs.future.astype(int) - pairs.past)[seen].mean()
    raw = np.abs(later.data - earlier.data).mean() * 255
    assert error < 0.35 * raw
    assert report.counts == {Reason.KEPT.value: 4}
    assert (pairs.years == 2).all()
    assert (pairs.gsd_m == 10).all()
    assert set(pairs.source) == {"set/place/a/b"}


def test_a_shift_that_is_left_is_refused() -> None:
    with pytest.raises(RegistrationError, match="px are left after the best"):
        prepare_rasters(dated(2016), dated(2018, row_q=51), PrepareConfig(max_residual_px=1e-5))


def test_co_registration_can_be_switched_off() -> None:
    _, report = prepare_rasters(dated(2016), dated(2018, row_q=52), PrepareConfig(coregister=False))
    assert (report.dy_px, report.dx_px) == (0, 0)
    assert np.isnan(report.residual_px)


def test_tiles_are_the_pixels_of_the_earlier_raster() -> None:
    earlier = dated(2016, size=200)
    pairs, _ = prepare_rasters(earlier, dated(2018, size=200), PrepareConfig(stride=100))
    assert list(zip(pairs.row, pairs.col, strict=True)) == [(0, 0), (0, 72), (72, 0), (72, 72)]
    stored = np.rint(earlier.data * 255).astype(np.uint8)
    for i, window in enumerate(plan_tiles(200, 200, size=128, stride=100)):
        np.testing.assert_array_equal(pairs.past[i], stored[(slice(None), *window.slices)])


def test_invalid_ground_takes_the_other_dates_values() -> None:
    earlier, later = dated(2016), dated(2018)
    later.valid[:100, :4] = False
    later.data[:, :100, :4] = 0
    pairs, _ = prepare_rasters(earlier, later, PrepareConfig(coregister=False))
    assert not pairs.valid[0, :100, :4].any()
    assert pairs.valid[0, :, 4:].all()
    np.testing.assert_array_equal(pairs.future[0, :, :100, :4], pairs.past[0, :, :100, :4])


def test_every_tile_has_a_fate() -> None:
    earlier, later = dated(2016, size=280), dated(2018, size=280)
    later.valid[:128, :128] = False
    rng = np.random.default_rng(0)
    later.data[:, -128:, -128:] = rng.uniform(0, 1, (3, 128, 128))
    pairs, report = prepare_rasters(earlier, later, PrepareConfig(radiometry="none"))
    assert sum(report.counts.values()) == 9
    assert report.counts[Reason.INVALID.value] >= 1
    assert report.counts[Reason.NOISY.value] >= 1
    assert report.counts[Reason.KEPT.value] == len(pairs)
    assert {example.reason for example in report.examples} == {
        Reason(reason) for reason in report.counts
    }


def test_one_region_is_split_by_blocks() -> None:
    world = made_world(12, size_px=520)
    earlier, later = (dated(y, row_q=0, col_q=0, size=512, world=world) for y in (2016, 2018))
    pairs, report = prepare_rasters(earlier, later, PrepareConfig(val_share=0.1))
    assert report.splits == {"train": 7, "val": 2}
    assert report.counts[Reason.GUARD.value] == 16 - 9
    again, _ = prepare_rasters(earlier, later, PrepareConfig(val_share=0.1))
    np.testing.assert_array_equal(pairs.split, again.split)
    all_test, _ = prepare_rasters(earlier, later, PrepareConfig(split="test"))
    assert (all_test.split == SPLITS.index("test")).all()


def test_blank_ground_is_left_where_it_is() -> None:
    flat = np.full((3, 256, 256), 0.3, np.float32)
    blank = [replace(dated(year), data=flat) for year in (2016, 2018)]
    pairs, report = prepare_rasters(*blank, CONFIG)
    assert len(pairs) == 0
    assert report.counts == {Reason.BLANK.value: 4}
    assert (report.dy_px, report.dx_px, report.score) == (0, 0, 0)


def test_palette_images_are_not_made_worse_by_matching() -> None:
    earlier, later = (
        replace(r, data=(np.rint(r.data * 3) / 3 * (0.9 if r.year == 2018 else 1)))
        for r in (dated(2016), dated(2018))
    )
    _, report = prepare_rasters(earlier, later, CONFIG)
    assert report.histogram_after <= report.histogram_before


def test_pair_of_files(tmp_path: Path) -> None:
    first = write(tmp_path / "in" / "place_2016-08-16.tif", dated(2016))
    moved = dated(2018, row_q=52, col_q=44, size=240)
    offset = moved.grid.transform @ Affine.translation(2, 3)
    moved = replace(moved, grid=replace(moved.grid, transform=offset))
    second = write(tmp_path / "in" / "place_2018-02-01.tif", moved)
    out = tmp_path / "out" / "pairs.zarr"
    calls: list[tuple[int, int]] = []
    report = prepare_pair(first, second, out, progress=lambda *done: calls.append(done))

    assert calls == [(1, 1)]
    assert report.pairs[0].residual_px < 0.1
    store = PairStore(out)
    assert len(store) == report.kept == 4
    assert store.read("train").years[0] == pytest.approx(1.46, abs=0.01)
    assert store.attrs["report"]["counts"]["kept"] == 4
    folder = tmp_path / "out" / "pairs.report"
    written = json.loads((folder / "report.json").read_text())
    assert written["pairs"][0]["source"] == "rasters/in/2016-08-16/2018-02-01"
    assert written["config"]["stride"] == 128
    assert "4 of 4 tile pairs kept" in (folder / "report.txt").read_text()
    with Image.open(folder / "contact_sheet.png") as sheet:
        assert sheet.width > 500
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["pairs.report", "pairs.zarr"]


def test_existing_output(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"p_{y}.tif", dated(y, size=140)) for y in (2016, 2018))
    out = tmp_path / "pairs.zarr"
    prepare_pair(first, second, out)
    with pytest.raises(OutputExistsError, match="exists already"):
        prepare_pair(first, second, out)
    prepare_pair(first, second, out, PrepareConfig(split="test"), overwrite=True)
    assert len(PairStore(out).read("test")) == len(PairStore(out)) > 0
    (tmp_path / "precious").mkdir()
    with pytest.raises(OutputExistsError, match="something else"):
        prepare_pair(first, second, tmp_path / "precious", overwrite=True)
    assert (tmp_path / "precious").is_dir()


def test_a_folder_named_like_the_report_is_never_lost(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"p_{y}.tif", dated(y, size=140)) for y in (2016, 2018))
    out, folder = tmp_path / "pairs.zarr", tmp_path / "pairs.report"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match=r"no report at .*pairs\.report"):
        prepare_pair(first, second, out)
    with pytest.raises(OutputExistsError, match="something else"):
        prepare_pair(first, second, out, overwrite=True)
    assert not out.exists()
    (folder / "thesis.txt").rename(tmp_path / "thesis.txt")
    folder.rmdir()
    prepare_pair(first, second, out)
    (folder / "thesis.txt").write_text("put among the report's files")
    with pytest.raises(OutputExistsError, match="something else"):
        prepare_pair(first, second, out, overwrite=True)
    assert (folder / "thesis.txt").is_file()


def test_every_store_has_its_own_report(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"p_{y}.tif", dated(y, size=140)) for y in (2016, 2018))
    for name in ("v1.2", "v1.3", "x.report"):
        prepare_pair(first, second, tmp_path / name)
        written = json.loads((tmp_path / f"{name}.report" / "report.json").read_text())
        assert written["store"] == name
        assert len(PairStore(tmp_path / name)) > 0
    with pytest.raises(OutputExistsError, match=r"no report at .*x\.report"):
        prepare_pair(first, second, tmp_path / "x.zarr")
    with pytest.raises(OutputExistsError, match="something else"):
        prepare_pair(first, second, tmp_path / "x.zarr", overwrite=True)
    assert len(PairStore(tmp_path / "x.report")) > 0


def test_a_share_of_one_region_is_held_out_or_refused(tmp_path: Path) -> None:
    world = made_world(12, size_px=520)
    first, second = (
        write(tmp_path / "in" / f"p_{y}.tif", dated(y, row_q=0, col_q=0, size=512, world=world))
        for y in (2016, 2018)
    )
    report = prepare_pair(first, second, tmp_path / "p.zarr", PrepareConfig(val_share=0.2))
    assert report.splits.keys() == {"train", "val"}
    small = [write(tmp_path / "in" / f"s_{y}.tif", dated(y)) for y in (2016, 2018)]
    with pytest.raises(NoValidPixelsError, match="for both train and val at a val_share"):
        prepare_pair(*small, tmp_path / "s.zarr", PrepareConfig(val_share=0.2))
    assert not (tmp_path / "s.zarr").exists()


def _swap(first: Raster, second: Raster) -> tuple[Raster, Raster]:
    return second, first


def _far(first: Raster, second: Raster) -> tuple[Raster, Raster]:
    moved = second.grid.transform @ Affine.translation(9999, 0)
    return first, replace(second, grid=replace(second.grid, transform=moved))


def _other(first: Raster, second: Raster) -> tuple[Raster, Raster]:
    return first, dated(2018, world=made_world(99, size_px=300))


def _small(first: Raster, second: Raster) -> tuple[Raster, Raster]:
    return first, dated(2018, size=127)


def _undated(first: Raster, second: Raster) -> tuple[Raster, Raster]:
    return first, replace(second, date=None)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (_swap, DateError, "expected EARLIER before LATER, got 2018"),
        (_far, NoOverlapError, "share no observed ground"),
        (_other, RegistrationError, "same ground"),
        (_small, NoValidPixelsError, "expected at least 128 x 128 pixels"),
        (_undated, DateError, "expected a date"),
    ],
)
def test_wrong_input_is_refused_and_leaves_nothing(
    spoil: Callable[[Raster, Raster], tuple[Raster, Raster]],
    error: type[Exception],
    message: str,
    tmp_path: Path,
) -> None:
    rasters = spoil(dated(2016), dated(2018))
    names = [f"in/{i}_{r.year or 'undated'}.tif" for i, r in enumerate(rasters)]
    files = [write(tmp_path / n, r) for n, r in zip(names, rasters, strict=True)]
    with pytest.raises(error, match=message):
        prepare_pair(*files, tmp_path / "pairs.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_nothing_kept_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    flat = np.full((3, 140, 140), 0.3, np.float32)
    files = [
        write(tmp_path / "in" / f"p_{y}.tif", replace(dated(y, size=140), data=flat))
        for y in (2016, 2018)
    ]
    with pytest.raises(NoValidPixelsError, match=r"none of 4 was kept \(4 too little detail"):
        prepare_pair(*files, tmp_path / "pairs.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_year_can_be_stated(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"{n}.tif", dated(2016, size=140)) for n in ("old", "new"))
    report = prepare_pair(
        first, second, tmp_path / "pairs.zarr", earlier_year=2001, later_year=2009
    )
    assert report.pairs[0].years == 8


@pytest.mark.parametrize(
    "wrong",
    [{"stride": 0}, {"stride": 129}, {"split": "all"}, {"val_share": 1.0}, {"min_valid": 2}],
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        PrepareConfig(**wrong)
