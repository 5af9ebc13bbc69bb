"""Radiometry, clouds, bounds, folders and splits of `landcast prepare`, by function and command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from made_scenes import UTM, made_world
from prepare_cases import APART_PX, dated, places, prepare_rasters, write, write_manifest

from app.cli.entry import run
from preprocessing.errors import DateError, MissingFileError, NoValidPixelsError, RequestError
from preprocessing.pairs.store import SPLITS, PairStore
from preprocessing.preparation.image_folder import read_folder
from preprocessing.preparation.run import PrepareConfig, prepare_manifest, prepare_pair
from preprocessing.rasters.raster import Raster
from preprocessing.tiles.filters import Reason


@pytest.fixture(autouse=True)
def _one_thread(_two_threads_at_most: None) -> None:
    """Few small tiles: threads that wait for each other cost more than they save."""
    torch.set_num_threads(1)


def changed(later: Raster) -> Raster:
    """A third of the later image is built over, bright."""
    data = later.data.copy()
    rng = np.random.default_rng(0)
    data[:, :, : data.shape[2] // 3] = rng.uniform(
        0.75, 0.95, data[:, :, : data.shape[2] // 3].shape
    )
    return replace(later, data=data)


def stored_mask(path: Path, mask: np.ndarray, dtype: str = "uint8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=mask.shape[0],
        width=mask.shape[1],
        count=1,
        dtype=dtype,
        crs=UTM,
        transform=dated(2016).grid.transform,
    ) as file:
        file.write(mask.astype(dtype), 1)
    return path


def pair_files(folder: Path, **options: object) -> list[Path]:
    return [write(folder / f"p_{y}.tif", dated(y, **options)) for y in (2016, 2018)]


def test_colours_by_unchanged_pixels_are_not_pulled_by_change() -> None:
    # The cast of 2018 makes red darker; a third of the ground becomes bright.
    earlier, later = dated(2016), changed(dated(2018))
    truth = later.data * 0  # The unchanged ground has the colours of the earlier date.
    truth = earlier.data
    errors = {}
    for method in ("histogram", "invariant", "none"):
        config = PrepareConfig(radiometry=method, max_changed=1.0, edge_high=1.0)
        pairs, report = prepare_rasters(earlier, later, config)
        assert report.method == method
        right = (pairs.col == 128) & (pairs.row == 128)
        wanted = np.rint(truth[:, 128:, 128:] * 255)
        errors[method] = np.abs(pairs.future[right][0].astype(float) - wanted).mean()
        assert report.histograms is not None
        assert np.asarray(report.histograms["after"]).shape == (3, 256)
    assert errors["invariant"] < 0.5 * errors["none"]
    assert errors["invariant"] < 0.5 * errors["histogram"]


def test_cloud_masks_hide_their_tiles(tmp_path: Path) -> None:
    files = pair_files(tmp_path / "in")
    mask = np.zeros((256, 256))
    mask[:128, :128] = 1
    clouds = stored_mask(tmp_path / "clouds.tif", mask)
    report = prepare_pair(*files, tmp_path / "a.zarr", clouds=(None, clouds))
    assert report.counts[Reason.INVALID.value] == 1
    hidden = [tile[:2] for tile in report.pairs[0].tiles if tile[2] == Reason.INVALID.value]
    assert hidden == [(0, 0)]
    scl = np.where(mask > 0, 9, 4)
    scl[128:, 128:] = 8
    scenes = stored_mask(tmp_path / "scl.tif", scl)
    options = {"clouds": (scenes, None), "clouds_kind": "scl"}
    report = prepare_pair(*files, tmp_path / "b.zarr", **options)
    assert report.counts[Reason.INVALID.value] == 2


def test_detected_clouds_hide_their_tiles() -> None:
    later = dated(2018)
    data = later.data * 0.6
    data[:, 20:110, 20:110] = 0.95
    cloudy = replace(later, data=data)
    from preprocessing.preparation.opened_images import without_clouds
    from preprocessing.preparation.raster_pair import plan_pair
    from preprocessing.rasters.image_source import HeldImage

    config = PrepareConfig(detect_clouds=True)
    images = [HeldImage(dated(2016)), HeldImage(cloudy)]
    report = plan_pair(images[0], without_clouds(images[1], detect=True), config).run(
        lambda _: None
    )
    assert (0, 0, Reason.INVALID.value) in report.tiles
    assert report.counts[Reason.INVALID.value] == 1
    report = plan_pair(*images, PrepareConfig()).run(lambda _: None)
    assert Reason.INVALID.value not in report.counts


def test_bounds_are_fitted_to_the_data(tmp_path: Path) -> None:
    manifest = places(tmp_path, dict.fromkeys("ab", "train"))
    plain = prepare_manifest(manifest, tmp_path / "p.zarr")
    fitted = prepare_manifest(manifest, tmp_path / "q.zarr", PrepareConfig(fit_bounds=True))
    assert fitted.config["edge_low"] > plain.config["edge_low"]
    assert fitted.config["edge_high"] < plain.config["edge_high"]
    assert fitted.kept <= plain.kept
    assert fitted.kept > 0
    files = pair_files(tmp_path / "in")
    one = prepare_pair(*files, tmp_path / "r.zarr", PrepareConfig(fit_bounds=True))
    assert one.config["edge_low"] > 0.01


def test_larger_chips_and_coarser_pixels(tmp_path: Path) -> None:
    files = pair_files(tmp_path / "in")
    prepare_pair(*files, tmp_path / "a.zarr", PrepareConfig(tile_px=200, stride=200))
    pairs = PairStore(tmp_path / "a.zarr").read()
    assert pairs.past.shape[1:] == (3, 200, 200)
    assert sorted(zip(pairs.row.tolist(), pairs.col.tolist(), strict=True))[0] == (0, 0)
    prepare_pair(*files, tmp_path / "b.zarr", PrepareConfig(gsd_m=16.0))
    pairs = PairStore(tmp_path / "b.zarr").read()
    np.testing.assert_allclose(pairs.gsd_m, 16, rtol=1e-3)
    with pytest.raises(NoValidPixelsError, match="share 102 x 102"):
        prepare_pair(*files, tmp_path / "c.zarr", PrepareConfig(gsd_m=25.0))


def test_the_same_ground_at_other_metres_per_pixel() -> None:
    rasters = [dated(year, size=256) for year in (2016, 2018)]
    sides = {}
    for gsd_m in (5.0, 10.0, 20.0):
        config = PrepareConfig(gsd_m=gsd_m, min_valid=0, edge_low=0, edge_high=1, max_changed=1)
        pairs, _ = prepare_rasters(*rasters, config)
        assert (pairs.gsd_m == gsd_m).all()
        side = int(pairs.row.max()) + 128
        whole = np.zeros((2, 3, side, side))
        for at, (row, col) in enumerate(zip(pairs.row, pairs.col, strict=True)):
            tile = np.stack([pairs.past[at], pairs.future[at]])
            whole[:, :, row : row + 128, col : col + 128] = tile
        sides[gsd_m] = (len(pairs), side)
        block = side // 64
        means = whole.reshape(2, 3, 64, block, 64, block).mean(axis=(3, 5))
        if gsd_m == 5:
            finest = means
        assert np.sqrt(np.mean((means - finest) ** 2)) < 1.5  # Grey levels; contrasts are 30.
    assert sides == {5.0: (16, 512), 10.0: (4, 256), 20.0: (1, 128)}
    with pytest.raises(NoValidPixelsError, match="share 125 x 125"):
        prepare_rasters(*rasters, PrepareConfig(gsd_m=20.5))


def test_folder_of_places(tmp_path: Path) -> None:
    folder = tmp_path / "land"
    for index, place in enumerate("ab"):
        world = made_world(100 + index, size_px=140)
        for year in (2016, 2018, 2021):
            raster = dated(year, size=130, row_q=4, world=world, east_px=index * APART_PX)
            write(folder / place / f"{year}-06-01.tif", raster)
    (folder / "notes.txt").write_text("not an image")
    assert [i.place for i in read_folder(folder)] == ["a"] * 3 + ["b"] * 3
    report = prepare_manifest(folder, tmp_path / "p.zarr")
    assert {pair.source for pair in report.pairs} == {
        f"land/{place}/{first}-06-01/{second}-06-01"
        for place in "ab"
        for first, second in ((2016, 2018), (2016, 2021), (2018, 2021))
    }
    flat = read_folder(folder / "a")
    assert {(i.dataset, i.place) for i in flat} == {("a", "a")}
    with pytest.raises(RequestError, match="no choice of data sets"):
        prepare_manifest(folder, tmp_path / "q.zarr", datasets=["land"])


def test_folders_that_say_too_little(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="folder of dated rasters"):
        read_folder(tmp_path / "none")
    write(tmp_path / "a" / "x_2016.tif", dated(2016, size=130))
    with pytest.raises(RequestError, match="at least two dated rasters of one place"):
        read_folder(tmp_path)
    write(tmp_path / "a" / "undated.tif", dated(2016, size=130))
    with pytest.raises(DateError, match="undated"):
        read_folder(tmp_path)


def ground(pairs: object, grids: dict[str, Affine], split: str) -> np.ndarray:
    """West, east, south and north in pixels of one common lattice, of each tile of a split."""
    boxes = []
    for i in np.flatnonzero(pairs.split == SPLITS.index(split)):
        corner = grids[str(pairs.source[i]).split("/")[1]] @ (int(pairs.col[i]), int(pairs.row[i]))
        col, row = (corner[0] - 500_000) / 10, (5_000_000 - corner[1]) / 10
        boxes.append((row, col))
    return np.array(boxes)


def least_gap(first: np.ndarray, second: np.ndarray) -> float:
    apart = np.abs(first[:, None] - second[None]) - 128
    return float(apart.max(axis=-1).min())


def test_one_place_at_many_dates_has_one_held_out_corner(tmp_path: Path) -> None:
    world = made_world(12, size_px=560)
    lines = []
    # Every date covers other ground, so the common grids of the pairs differ.
    for year, (down, right) in {2016: (0, 0), 2018: (40, 10), 2021: (0, 60)}.items():
        raster = dated(year, row_q=4 * down, col_q=4 * right, size=480, world=world)
        moved = raster.grid.transform @ Affine.translation(right, down)
        write(
            tmp_path / f"p_{year}.tif", replace(raster, grid=replace(raster.grid, transform=moved))
        )
        lines.append({"dataset": "d", "place": "p", "date": year, "path": f"p_{year}.tif"})
    manifest = write_manifest(tmp_path, lines)
    report = prepare_manifest(manifest, tmp_path / "p.zarr", PrepareConfig(val_share=0.2))
    pairs = PairStore(tmp_path / "p.zarr").read()
    starts = {"2016/2018": (40, 10), "2016/2021": (0, 60), "2018/2021": (40, 60)}
    boxes: dict[int, list[tuple[int, int]]] = {0: [], 1: []}
    for i, source in enumerate(pairs.source):
        years = "/".join(date[:4] for date in str(source).split("/")[2:])
        down, right = starts[years]
        boxes[int(pairs.split[i])].append((int(pairs.row[i]) + down, int(pairs.col[i]) + right))
    assert len(boxes[0]) > 3
    assert len(boxes[1]) > 1
    assert least_gap(np.array(boxes[0], float), np.array(boxes[1], float)) >= 128
    assert report.counts[Reason.GUARD.value] > 0


def test_train_tiles_keep_away_from_places_held_out(tmp_path: Path) -> None:
    world = made_world(12, size_px=800)
    lines = []
    for place, (split, right) in {"a": ("train", 0), "b": ("val", 300)}.items():
        for year in (2016, 2018):
            raster = dated(year, row_q=0, col_q=4 * right, size=384, world=world, east_px=right)
            path = write(tmp_path / f"{place}_{year}.tif", raster)
            line = {"dataset": "d", "place": place, "date": year, "path": path.name}
            lines.append({**line, "split": split})
    manifest = write_manifest(tmp_path, lines)
    report = prepare_manifest(manifest, tmp_path / "p.zarr")
    pairs = PairStore(tmp_path / "p.zarr").read()
    grids = {"a": dated(2016).grid.transform, "b": dated(2016, east_px=300).grid.transform}
    train, val = (ground(pairs, grids, split) for split in ("train", "val"))
    assert len(val) == 9
    assert set(train[:, 1]) == {0}
    assert least_gap(train, val) >= 128
    assert report.counts[Reason.GUARD.value] == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"radiometry": "magic"}, "radiometry of histogram, invariant, none"),
        ({"tile_px": 64}, "tile_px of 128"),
        ({"gsd_m": 0.0}, "gsd_m above 0"),
        ({"refine": True, "coregister": False}, "expected coregister"),
    ],
)
def test_new_settings_are_checked(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PrepareConfig(**wrong)


def test_options_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in pair_files(tmp_path / "in")]
    mask = np.zeros((256, 256))
    mask[128:, 128:] = 1
    clouds = str(stored_mask(tmp_path / "clouds.tif", mask))
    out = tmp_path / "p.zarr"
    arguments = ["prepare", *files, "--out", str(out), "--radiometry", "none", "--refine"]
    arguments += ["--clouds-later", clouds, "--clouds-kind", "mask", "--gsd", "10"]
    assert run([*arguments, "--detect-clouds", "--sensor", "naip"]) == 0
    said = capsys.readouterr().out
    assert "3 of 4 tile pairs kept" in said
    config = PairStore(out).attrs["report"]["config"]
    assert config["radiometry"] == "none"
    assert config["refine"] is True
    assert config["detect_clouds"] is True
    assert config["gsd_m"] == 10
    assert config["fit_bounds"] is False


def test_command_takes_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair_files(tmp_path / "place")
    out = tmp_path / "p.zarr"
    assert run(["prepare", str(tmp_path / "place"), "--out", str(out), "--fit-bounds"]) == 0
    assert "tile pairs kept" in capsys.readouterr().out
    assert set(PairStore(out).read().source) == {"place/place/2016-01-01/2018-01-01"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("a.tif b.tif --radiometry magic", "magic"),
        ("a.tif b.tif --clouds-kind scl", "--clouds-kind only with --clouds-earlier"),
        ("m.csv --clouds-later c.tif", "--clouds-later only with two rasters"),
        ("a.tif b.tif --gsd 0", "--gsd"),
        ("a.tif b.tif c.tif", "got 3 files"),
    ],
)
def test_wrong_options_are_refused(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prepare", *arguments.split(), "--out", "p.zarr"]) == 2
    assert said in capsys.readouterr().err
