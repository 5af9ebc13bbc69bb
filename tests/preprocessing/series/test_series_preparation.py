"""Preparation of series on made data with the quirks that real deliveries have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_scenes import made_world
from prepare_cases import dated, places, write, write_manifest
from rasterio.crs import CRS
from rasterio.warp import transform

from app.cli.entry import run
from preprocessing.errors import (
    DateError,
    NoValidPixelsError,
    OutputExistsError,
    RequestError,
    ValueRangeError,
)
from preprocessing.rasters.image_source import Reading, Readings
from preprocessing.series import PlaceSeries, SeriesStore
from preprocessing.series.config import SeriesConfig
from preprocessing.series.preparation import prepare_series

QUIET = SeriesConfig(coregister=False)


def _save(
    path: Path,
    bands: np.ndarray,
    *,
    crs: CRS | None = None,
    to_crs: Affine | None = None,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    placed = {} if crs is None else {"crs": crs, "transform": to_crs}
    options = {} if path.suffix == ".png" else {"photometric": "MINISBLACK"}
    with rasterio.open(
        path,
        "w",
        driver="PNG" if path.suffix == ".png" else "GTiff",
        height=bands.shape[1],
        width=bands.shape[2],
        count=len(bands),
        dtype=bands.dtype,
        **placed,
        **options,
    ) as file:
        file.write(bands)
    return path


def _levels(year: int, size: int = 160) -> np.ndarray:
    """Grey levels `(3, h, w)` of a made place."""
    return np.rint(np.clip(dated(year, size=size).data, 0, 1) * 255).astype(np.uint8)


def _prepared(folder: Path, out: Path, **options: object) -> PlaceSeries:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    prepare_series(files, out, QUIET, **options)  # type: ignore[arg-type]
    store = SeriesStore.open(out)
    return store.place(store.names[0])


def test_transparent_pixels_are_invalid(tmp_path: Path) -> None:
    for year in (2001, 2003):
        alpha = np.full((160, 160), 255, np.uint8)
        alpha[: year - 1981] = 0
        _save(tmp_path / "in" / f"{year}.png", np.concatenate([_levels(year), alpha[None]]))
    series = _prepared(tmp_path / "in", tmp_path / "s.zarr")
    assert series.name == "in"
    assert series.valid.all(2).sum(1).tolist() == [140, 138]
    np.testing.assert_array_equal(series.images[0, :, 20:], _levels(2001)[:, 20:])
    assert not series.images[:, :, :20].any()


def test_reflectance_has_one_range_for_all_dates_and_no_fourth_band(tmp_path: Path) -> None:
    ndvi = np.full((1, 160, 160), 9000, np.int16)
    dim = {2018: 1.0, 2019: 0.5}
    for year, light in dim.items():
        stored = (100 + light * _levels(2018) * 8.0).astype(np.int16)
        _save(tmp_path / "in" / f"{year}.tif", np.concatenate([stored, ndvi]))
    series = _prepared(tmp_path / "in", tmp_path / "s.zarr")
    both = np.stack([100 + light * _levels(2018) * 8.0 for light in dim.values()])
    low, high = np.percentile(both, [0.5, 99.5])
    wanted = np.clip((both - low) / (high - low), 0, 1) * 255
    assert np.abs(series.images - wanted).max() < 1
    report = json.loads((tmp_path / "s.report" / "report.json").read_text())
    # Whole numbers are stored: the light's half of a level is cut off.
    np.testing.assert_allclose(report["places"][0]["value_range"], [low, high], atol=1)


def test_a_stated_range_is_kept_and_a_wrong_one_refused(tmp_path: Path) -> None:
    for year in (2018, 2019):
        _save(tmp_path / "in" / f"{year}.tif", _levels(year).astype(np.uint16) * 10)
    stated = Readings(Reading(value_range=(0, 2550)))
    series = _prepared(tmp_path / "in", tmp_path / "s.zarr", readings=stated)
    np.testing.assert_array_equal(series.images[1], _levels(2019))
    wrong = Readings(Reading(sensor="naip"))
    with pytest.raises(ValueRangeError):
        _prepared(tmp_path / "in", tmp_path / "other.zarr", readings=wrong)


def test_bands_can_be_stated_for_one_data_set(tmp_path: Path) -> None:
    lines = []
    for dataset, order in (("rgb", [0, 1, 2]), ("sentinel2", [2, 1, 0, 0])):
        for year in (2018, 2019):
            path = _save(tmp_path / dataset / f"{year}.tif", _levels(year)[order])
            lines.append({"dataset": dataset, "place": "p", "date": year, "path": path})
    manifest = write_manifest(tmp_path, lines)
    out = tmp_path / "s.zarr"
    command = f"prepare {manifest} --series --out {out} --bands sentinel2=3,2,1"
    assert run(command.split()) == 0
    store = SeriesStore.open(out)
    assert store.names == ("rgb/p", "sentinel2/p")  # One name, two places.
    first, second = (store.place(name).images for name in store.names)
    np.testing.assert_array_equal(first, second)


def test_a_date_in_the_neighbouring_zone_lies_on_the_ground(tmp_path: Path) -> None:
    here, there = CRS.from_epsg(32631), CRS.from_epsg(32630)
    corner = (220_000.0, 4_288_000.0)
    over = tuple(value[0] for value in transform(here, there, [corner[0]], [corner[1]]))

    def ground(crs: CRS, to_crs: Affine, size: int) -> np.ndarray:
        """A pattern that is a function of the position in zone 31, sampled on any grid."""
        cols, rows = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
        xs, ys = to_crs.a * cols + to_crs.c, to_crs.e * rows + to_crs.f
        east, north = transform(crs, here, xs.ravel().tolist(), ys.ravel().tolist())
        e, n = (
            (np.reshape(v, (size, size)) - c) / 90
            for v, c in zip((east, north), corner, strict=True)
        )
        waves = [np.sin(e + 0.3 * n * k) * np.cos(n - 0.2 * e * k) for k in (1, 2, 3)]
        return np.rint(128 + 90 * np.stack(waves)).astype(np.uint8)

    near = Affine(10, 0, corner[0], 0, -10, corner[1])
    far = Affine(10, 0, over[0] - 300, 0, -10, over[1] + 300)
    _save(tmp_path / "in" / "2021.tif", ground(there, far, 220), crs=there, to_crs=far)
    _save(tmp_path / "in" / "2026.tif", ground(here, near, 160), crs=here, to_crs=near)
    series = _prepared(tmp_path / "in", tmp_path / "s.zarr")
    assert series.valid[1].all()
    assert 0.8 < series.valid[0].mean() <= 1
    error = np.abs(series.images[0].astype(int) - series.images[1]).max(axis=0)
    assert error[series.valid[0]].max() < 12  # Cubic convolution of waves of some 50 pixels.


def test_dithered_palettes_are_averaged(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = []
    for year in (1990, 1991):
        dither = np.where(rng.random((3, 160, 160)) < 0.5, 80, 160).astype(np.uint8)
        path = _save(tmp_path / "in" / f"{year}.png", dither)
        lines.append(
            {
                "dataset": "gif",
                "place": "p",
                "date": year,
                "path": path,
                "gsd_m": 75,
                "split": "val",
            }
        )
    manifest = write_manifest(tmp_path, lines)
    prepare_series([manifest], tmp_path / "s.zarr", QUIET, average_by_dataset={"gif": 2})
    series = SeriesStore.open(tmp_path / "s.zarr").place("p")
    assert series.images.shape == (2, 3, 80, 80)
    assert (series.gsd_m, series.split) == (150.0, "val")
    assert series.images.std() == pytest.approx(20, abs=1)  # 40 / sqrt(4)
    with pytest.raises(RequestError, match="expected data sets to average among gif"):
        prepare_series([manifest], tmp_path / "t.zarr", average_by_dataset={"tif": 2})


def test_every_date_is_laid_over_the_last(tmp_path: Path) -> None:
    shifts = {2012: (44, 36), 2014: (30, 47), 2019: (40, 40)}  # Quarters of a pixel.
    for year, (row, col) in shifts.items():
        write(tmp_path / "in" / f"p_{year}.tif", dated(year, row_q=row, col_q=col))
    out = tmp_path / "s.zarr"
    # Listed in any order, with a gap of years and one more image of the same day.
    files = [tmp_path / "in" / f"p_{year}.tif" for year in (2019, 2012, 2014)]
    twice = write(tmp_path / "in" / "q_2014.tif", dated(2014))
    progress: list[tuple[int, int]] = []
    report = prepare_series([*files, twice], out, progress=lambda *done: progress.append(done))
    place = report.places[0]
    assert progress == [(4, 4)]
    assert str(place.reference) == "2019-01-01"
    moved = {date.date.year: date.shift_px for date in place.kept}
    for year, (row, col) in shifts.items():
        assert moved[year] == pytest.approx(np.hypot(row - 40, col - 40) / 4, abs=0.1)
    doubles = [date.dropped for date in place.dates if date.dropped]
    assert len(doubles) == 1
    assert doubles[0].startswith("another image of this date")
    series = SeriesStore.open(out).place("in")
    assert series.years.tolist() == [2012, 2014, 2019]
    np.testing.assert_array_equal(series.images[-1], np.rint(np.clip(dated(2019).data, 0, 1) * 255))
    matched = series.in_colours_of(-1)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    for date in (0, 1):
        error = np.abs(matched.images[date][inner].astype(int) - matched.images[-1][inner])
        assert error.mean() < 4


def test_a_date_that_does_not_fit_is_dropped_and_not_the_place(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for year in (2012, 2014, 2016, 2020):
        write(folder / f"p_{year}.tif", dated(year))
    other = made_world(77, size_px=300)
    write(folder / "p_2018.tif", dated(2018, world=other))
    write(folder / "p_2019.tif", dated(2019, east_px=5000))
    whole = (folder / "p_2016.tif").read_bytes()
    (folder / "p_2016.tif").write_bytes(whole[: len(whole) // 2])
    report = prepare_series([folder], tmp_path / "s.zarr")
    dropped = {date.date.year: date.dropped for date in report.places[0].dates if date.dropped}
    assert set(dropped) == {2016, 2018, 2019}
    assert "damaged data" in dropped[2016]
    assert "the same ground" in dropped[2018]
    assert "share no observed ground" in dropped[2019]
    series = SeriesStore.open(tmp_path / "s.zarr").place("in")
    assert series.years.tolist() == [2012, 2014, 2020]
    text = (tmp_path / "s.report" / "report.txt").read_text()
    assert "3 of 6 dates of 1 of 1 places kept" in text
    assert "in/in/2018-01-01: expected p_2018.tif to show the same ground" in text


def test_another_reference_is_taken_where_the_last_date_fits_nothing(tmp_path: Path) -> None:
    for year in (2012, 2014, 2016):
        write(tmp_path / "in" / f"p_{year}.tif", dated(year))
    other = dated(2020, world=made_world(77, size_px=300))
    write(tmp_path / "in" / "p_2020.tif", other)
    report = prepare_series([tmp_path / "in"], tmp_path / "s.zarr")
    assert str(report.places[0].reference) == "2016-01-01"
    assert [date.date.year for date in report.places[0].kept] == [2012, 2014, 2016]


def test_places_without_two_dates_are_dropped(tmp_path: Path) -> None:
    manifest = places(tmp_path, {"a": "train", "b": "val"})
    write(tmp_path / "b_2016.tif", dated(2016, east_px=90_000, size=130))
    report = prepare_series([manifest], tmp_path / "s.zarr")
    assert "1 of 2 is left" in report.places[1].dropped
    assert SeriesStore.open(tmp_path / "s.zarr").names == ("a",)
    alone = tmp_path / "alone.zarr"
    write(tmp_path / "a_2016.tif", dated(2016, east_px=90_000, size=130))
    with pytest.raises(NoValidPixelsError, match="none of 2 was kept"):
        prepare_series([manifest], alone)
    assert not [path for path in tmp_path.iterdir() if "alone" in path.name]


def test_sizes_are_cut_to_whole_cells(tmp_path: Path) -> None:
    for year in (2001, 2002):
        _save(tmp_path / "in" / f"{year}.png", _levels(year)[:, :150, :135])
    series = _prepared(tmp_path / "in", tmp_path / "s.zarr")
    np.testing.assert_array_equal(series.images[0], _levels(2001)[:, :148, :132])


def test_pixels_can_be_made_larger(tmp_path: Path) -> None:
    for year in (2001, 2002):
        write(tmp_path / "in" / f"{year}.tif", dated(year))
    prepare_series([tmp_path / "in"], tmp_path / "s.zarr", SeriesConfig(gsd_m=20))
    series = SeriesStore.open(tmp_path / "s.zarr").place("in")
    assert (series.gsd_m, series.images.shape) == (20, (2, 3, 128, 128))


def test_the_command_and_its_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = places(tmp_path, {"a": "train", "b": "val"})
    out = tmp_path / "s.zarr"
    asked = ["prepare", str(manifest), "--series", "--out", str(out)]
    assert run([*asked, "--split", "val"]) == 0
    assert "2 of 2 dates of 1 of 1 places kept" in capsys.readouterr().out
    assert SeriesStore.open(out).select(split="val") == ("b",)
    for arguments, said in (
        ([], "exists already"),
        (["--overwrite", "--radiometry", "none"], "--radiometry only with pairs"),
        (["--overwrite", "--average", "other=2"], "got other"),
        (["--overwrite", "--sensor", "other=naip"], "got other"),
        (["--overwrite", "--bands", "3,2,1", "--bands", "1,2,3"], "once for all data sets"),
        (["--overwrite", "--clouds-kind", "scl"], "column mask"),
    ):
        assert run([*asked, *arguments]) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert run(["prepare", str(tmp_path / "a_2016.tif"), "--series", "--out", str(out)]) == 2
    assert "two dated rasters or more" in " ".join(capsys.readouterr().err.split())
    assert SeriesStore.open(out).names == ("b",)


def test_files_must_say_their_date(tmp_path: Path) -> None:
    files = [write(tmp_path / "in" / name, dated(2016)) for name in ("a.tif", "b.tif")]
    with pytest.raises(DateError, match="expected a date for"):
        prepare_series(files, tmp_path / "s.zarr")
    with pytest.raises(RequestError, match="only a manifest states them"):
        prepare_series([tmp_path / "in"], tmp_path / "s.zarr", split="val")
    (tmp_path / "s.zarr").mkdir()
    with pytest.raises(OutputExistsError):
        prepare_series([tmp_path / "in"], tmp_path / "s.zarr")
