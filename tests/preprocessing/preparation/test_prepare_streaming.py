"""Images larger than memory: blocks give what the whole gives, and little is read at once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from made_scenes import made_world
from prepare_cases import dated, prepare_rasters, write

from preprocessing.errors import NoOverlapError, NoValidPixelsError, UnreadableRasterError
from preprocessing.pairs.store import Pairs, PairStore
from preprocessing.preparation.raster_pair import plan_pair
from preprocessing.preparation.run import PrepareConfig, prepare_pair
from preprocessing.preparation.tile_pass import spread_windows
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.image_source import FileImage, HeldImage, hold
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.raster import Raster
from preprocessing.tiles.tiling import plan_tiles

SIZE = 300
WORLD = made_world(31, size_px=SIZE + 20)


@pytest.fixture(autouse=True)
def _one_thread(_two_threads_at_most: None) -> None:
    """Few small tiles: threads that wait for each other cost more than they save."""
    torch.set_num_threads(1)


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept in memory and all blocks are small."""
    monkeypatch.setattr("preprocessing.rasters.image_source._HELD_PX", 0)
    monkeypatch.setattr("preprocessing.preparation.tile_pass._BLOCK_PX", 128)
    monkeypatch.setattr("preprocessing.preparation.tile_pass._BATCH", 1)
    monkeypatch.setattr("preprocessing.radiometry.normalization._WHOLE_PX", 1)
    monkeypatch.setattr("preprocessing.radiometry.normalization._BLOCK_PX", 80)
    monkeypatch.setattr("preprocessing.registration.coregister._BLOCK_PX", 150)


def scenes(*, turn: float = 0.0) -> tuple[Raster, Raster]:
    """Two dates of 300 px, the later one 3.25 px too low and, if asked, on a turned grid."""
    earlier = dated(2016, size=SIZE, world=WORLD)
    later = dated(2018, size=SIZE, world=WORLD, row_q=40 - 13)
    if turn:
        around = (
            Affine.translation(150, 150) @ Affine.rotation(turn) @ Affine.translation(-150, -150)
        )
        grid = replace(later.grid, transform=later.grid.transform @ around)
        from preprocessing.registration.warped import WarpedImage

        moved = WarpedImage(HeldImage(later), grid).read(Window(0, 0, SIZE, SIZE))
        later = replace(moved, data=np.where(moved.valid, moved.data, 0.4).astype(np.float32))
    return earlier, later


@pytest.mark.parametrize("turn", [0.0, 2.0])
def test_blocks_give_what_the_whole_gives(turn: float, request: pytest.FixtureRequest) -> None:
    rasters = scenes(turn=turn)
    config = PrepareConfig(refine=turn > 0)
    held, one = prepare_rasters(*rasters, config)
    request.getfixturevalue("streamed")
    pairs, report = prepare_rasters(*rasters, config)
    assert report.counts == one.counts
    assert len(pairs) > 3
    order = [
        np.lexsort((p.col, p.row)) for p in (held, pairs)
    ]  # Blocks come in another order than rows.
    held, pairs = held.take(order[0]), pairs.take(order[1])
    np.testing.assert_array_equal(pairs.row, held.row)
    np.testing.assert_array_equal(pairs.past, held.past)
    # The shift is measured on other blocks.
    assert abs(report.dy_px - one.dy_px) < 0.05
    assert np.abs(pairs.future.astype(int) - held.future).mean() < 0.7
    assert (pairs.valid != held.valid).mean() < 2e-3
    assert sorted(report.tiles) == sorted(one.tiles)


@dataclass
class Watched:
    """An image that remembers the largest window read of it."""

    raster: Raster
    largest: int = 0
    total: int = 0
    date: dt.date | None = field(init=False)
    name: str = "watched.tif"

    def __post_init__(self) -> None:
        self.date = self.raster.date

    @property
    def grid(self) -> Grid:
        return self.raster.grid

    def read(self, window: Window, /) -> Raster:
        self.largest = max(self.largest, window.height * window.width)
        self.total += window.height * window.width
        return HeldImage(self.raster).read(window)


@pytest.mark.usefixtures("streamed")
def test_no_large_window_is_ever_read() -> None:
    images = [Watched(raster) for raster in scenes()]
    batches: list[Pairs] = []
    report = plan_pair(images[0], images[1], PrepareConfig()).run(batches.append)
    # Blocks of at most 150 px, and twice the 12 px that may be looked for with their margin.
    assert max(image.largest for image in images) <= 180**2
    assert max(map(len, batches)) == 1
    assert sum(map(len, batches)) == report.counts["kept"]


def test_a_bounded_sample_tells_the_shift_and_the_colours(
    monkeypatch: pytest.MonkeyPatch, streamed: None
) -> None:
    del streamed
    full = [Watched(raster) for raster in scenes()]
    first = plan_pair(full[0], full[1], PrepareConfig())
    monkeypatch.setattr("preprocessing.radiometry.normalization._MOST_BLOCKS", 4)
    monkeypatch.setattr("preprocessing.registration.coregister._MOST_BLOCKS", 2)
    few = [Watched(raster) for raster in scenes()]
    second = plan_pair(few[0], few[1], PrepareConfig())
    assert few[0].total < 0.6 * full[0].total
    assert abs(second.registration.shift.dy_px - first.registration.shift.dy_px) < 0.1
    assert second.normalization.after < 0.3 * second.normalization.before


def test_files_are_streamed_into_the_store(tmp_path: Path, streamed: None) -> None:
    del streamed
    earlier, later = scenes()
    files = [write(tmp_path / "in" / f"p_{r.year}.tif", r) for r in (earlier, later)]
    report = prepare_pair(*files, tmp_path / "p.zarr")
    store = PairStore(tmp_path / "p.zarr").read()
    assert len(store) == report.kept == 9
    assert len(report.pairs) == 1
    stored = np.rint(earlier.data * 255).astype(np.uint8)
    for i, (row, col) in enumerate(zip(store.row, store.col, strict=True)):
        wanted = stored[:, row : row + 128, col : col + 128]
        np.testing.assert_array_equal(store.past[i], wanted)
    assert isinstance(hold(FileImage.of(RasterSource.open(files[0]))), FileImage)


def test_a_share_of_a_large_region_is_held_out(tmp_path: Path, streamed: None) -> None:
    del streamed
    world = made_world(12, size_px=520)
    files = [
        write(tmp_path / "in" / f"p_{year}.tif", dated(year, row_q=0, size=400, world=world))
        for year in (2016, 2018)
    ]
    config = PrepareConfig(val_share=0.1)
    prepare_pair(*files, tmp_path / "p.zarr", config)
    pairs = PairStore(tmp_path / "p.zarr").read()
    held = pairs.take(pairs.split == 1)
    train = pairs.take(pairs.split == 0)
    assert len(held) > 1
    assert len(train) > 1
    apart_rows = np.abs(train.row[:, None] - held.row).astype(int) - 128
    apart_cols = np.abs(train.col[:, None] - held.col).astype(int) - 128
    assert np.maximum(apart_rows, apart_cols).min() >= 128


@pytest.mark.parametrize("keep", ["held", "streamed"])
def test_a_damaged_file_stops_and_leaves_nothing(
    keep: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if keep == "streamed":
        request.getfixturevalue("streamed")
    files = [write(tmp_path / "in" / f"p_{r.year}.tif", r) for r in scenes()]
    content = files[1].read_bytes()
    files[1].write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableRasterError, match=r"p_2018\.tif"):
        prepare_pair(*files, tmp_path / "p.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("coregister", [True, False])
@pytest.mark.parametrize("index", [0, 1])
def test_an_image_without_valid_pixels_is_named(index: int, coregister: bool) -> None:
    rasters = list(scenes())
    empty = np.zeros_like(rasters[index].valid)
    name = f"empty_{index}.tif"
    rasters[index] = replace(rasters[index], valid=empty, name=name)
    with pytest.raises(NoValidPixelsError, match=rf"every pixel of {name} .* is nodata"):
        prepare_rasters(*rasters, PrepareConfig(coregister=coregister))


def test_images_seen_in_different_places_share_no_ground() -> None:
    earlier, later = scenes()
    left = np.zeros_like(earlier.valid)
    left[:, :140] = True
    earlier, later = replace(earlier, valid=left), replace(later, valid=~left)
    with pytest.raises(NoOverlapError, match="share no observed ground"):
        prepare_rasters(earlier, later, PrepareConfig(coregister=False))


def test_spread_of_tiles() -> None:
    windows = plan_tiles(20_000, 20_000, size=128, stride=128)
    chosen = spread_windows(windows, 2000)
    assert 1000 < len(chosen) <= 4000
    rows = sorted({w.row // 1920 for w in chosen})
    assert rows[0] == 0
    assert rows[-1] >= 9
    assert spread_windows(windows[:5], 2000) == windows[:5]
