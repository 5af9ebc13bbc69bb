"""A series store seen as pairs: which, in which colours, and as training reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prepare_cases import dated, places, write, write_manifest

from preprocessing.errors import PairStoreError, SeriesStoreError
from preprocessing.pairs.store import PairStore
from preprocessing.series import SeriesStore
from preprocessing.series.config import SeriesConfig
from preprocessing.series.pair_index import PairIndex, open_pairs
from preprocessing.series.pairs import SeriesPairs
from preprocessing.series.preparation import prepare_series

YEARS = (2012, 2014, 2019)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place of three dates, 280 px wide: four whole tiles and five that are mostly padding."""
    folder = tmp_path_factory.mktemp("series")
    lines = []
    for year in YEARS:
        path = write(folder / f"p_{year}.tif", dated(year, size=280, row_q=0, col_q=0))
        lines.append(
            {"dataset": "made", "place": "a/b", "date": year, "path": path.name, "split": "train"}
        )
    prepare_series(
        [write_manifest(folder, lines)], folder / "s.zarr", SeriesConfig(coregister=False)
    )
    return folder / "s.zarr"


def test_every_pair_of_dates_of_every_whole_tile(store: Path) -> None:
    pairs = SeriesPairs(SeriesStore.open(store))
    assert len(pairs) == 4 * 3
    found = {
        (row, col, years)
        for row, col, years in zip(*(pairs.column(n) for n in ("row", "col", "years")), strict=True)
    }
    assert found == {(r, c, y) for r in (0, 128) for c in (0, 128) for y in (2, 5, 7)}
    assert set(pairs.column("source")) == {
        f"made/a/b/{first}-01-01/{second}-01-01"
        for first, second in ((2012, 2014), (2012, 2019), (2014, 2019))
    }
    assert (pairs.column("gsd_m") == 10).all()
    assert pairs.complete().all()


def test_the_later_date_has_the_colours_of_the_earlier(store: Path) -> None:
    pairs, series = SeriesPairs(SeriesStore.open(store)), SeriesStore.open(store).place("a/b")
    read = pairs.read_some(np.arange(len(pairs)))
    for n in range(len(read)):
        rows, cols = (slice(at[n], at[n] + 128) for at in (read.row, read.col))
        date = YEARS.index(int(read.source[n].split("/")[-2][:4]))
        np.testing.assert_array_equal(read.past[n], series.images[date, :, rows, cols])
    # The ground is the same at all dates, the light is not.
    raw = np.abs(series.images[1:].astype(int) - series.images[:-1]).mean()
    left = np.abs(read.future.astype(int) - read.past).mean()
    assert left < 0.25 * raw


def test_training_reads_it_like_a_pair_store(store: Path) -> None:
    index = PairIndex.of([store], "train")
    assert len(index) == 12
    assert set(index.place) == {"a/b"}
    some = index.read(np.array([7, 2, 7]))
    again = SeriesPairs(SeriesStore.open(store)).read_some(np.array([7, 2, 7]))
    np.testing.assert_array_equal(some.future, again.future)
    np.testing.assert_array_equal(some.years, index.years[[7, 2, 7]])
    assert len(np.unique(index.checksums())) == 12
    with pytest.raises(PairStoreError, match="split 'val'"):
        PairIndex.of([store], "val")


def test_pair_stores_keep_opening(tmp_path: Path) -> None:
    PairStore.create(tmp_path / "pairs.zarr")
    assert isinstance(open_pairs(tmp_path / "pairs.zarr"), PairStore)
    with pytest.raises(PairStoreError, match="found none"):
        open_pairs(tmp_path / "none.zarr")


def test_pixels_that_one_date_lacks_do_not_change(tmp_path: Path) -> None:
    manifest = places(tmp_path, {"a": "train"})
    moved = dated(2016, row_q=0, col_q=8, size=130, east_px=10)
    write(tmp_path / "a_2016.tif", moved)
    prepare_series([manifest], tmp_path / "s.zarr", SeriesConfig(coregister=False))
    pairs = SeriesPairs(SeriesStore.open(tmp_path / "s.zarr"))
    read = pairs.read_some(slice(None))
    assert len(read) == 1
    assert not pairs.complete().any()
    assert read.valid[0].sum() == 128 * 118
    gone = ~read.valid[0]
    np.testing.assert_array_equal(read.past[0][:, gone], read.future[0][:, gone])


def test_missing_files_are_told(store: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(store, tmp_path / "copy.zarr")
    next(path for path in (copy / "00000" / "images" / "c").rglob("*") if path.is_file()).unlink()
    with pytest.raises(SeriesStoreError, match="a checksum differs"):
        SeriesStore.open(copy).place("a/b")
