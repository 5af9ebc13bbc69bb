from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
import uuid
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.errors import PairStoreError
from preprocessing.pairs.store import Pairs, PairStore


def made_pairs(count: int, seed: int = 0, side: int = 128) -> Pairs:
    rng = np.random.default_rng(seed)
    return Pairs(
        past=rng.integers(0, 256, (count, 3, side, side)).astype(np.uint8),
        future=rng.integers(0, 256, (count, 3, side, side)).astype(np.uint8),
        valid=rng.random((count, side, side)) > 0.1,
        years=rng.uniform(1, 10, count).astype(np.float32),
        gsd_m=np.where(rng.random(count) > 0.5, 0.6, np.nan).astype(np.float32),
        row=rng.integers(0, 9999, count).astype(np.int32),
        col=rng.integers(0, 9999, count).astype(np.int32),
        split=(np.arange(count) % 3).astype(np.uint8),
        source=np.array([f"set/Ø {i}/2016/2018" for i in range(count)]),
    )


def assert_equal(first: Pairs, second: Pairs) -> None:
    for field in fields(Pairs):
        a, b = getattr(first, field.name), getattr(second, field.name)
        np.testing.assert_array_equal(a, b, err_msg=field.name)
        assert a.dtype.kind == b.dtype.kind


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    store = PairStore.create(tmp_path / "pairs.zarr")
    whole = made_pairs(70)
    store.append(whole.take(np.arange(0, 3)))
    store.append(whole.take(np.arange(3, 70)))
    store.append(whole.take(np.arange(0)))
    assert len(store) == 70
    assert_equal(PairStore(tmp_path / "pairs.zarr").read(), whole)


def test_reading_one_split(tmp_path: Path) -> None:
    store = PairStore.create(tmp_path / "pairs.zarr")
    whole = made_pairs(10)
    store.append(whole)
    assert_equal(store.read("val"), whole.take(whole.split == 1))


def test_labels_are_kept_until_pairs_are_added(stored: tuple[Path, Pairs], tmp_path: Path) -> None:
    path = tmp_path / "pairs.zarr"
    shutil.copytree(stored[0], path)
    store = PairStore(path)
    years = store.column("years")
    years[:] = 0  # The caller's own.
    shutil.rmtree(path / "years" / "c")
    assert_equal(store.read_some([3, 1]), stored[1].take(np.array([3, 1])))
    store = PairStore.create(tmp_path / "more.zarr", side_px=32)
    store.append(stored[1])
    store.column("split")
    store.append(stored[1])
    assert len(store.column("split")) == 2 * STORED
    assert_equal(store.read_some([STORED]), stored[1].take(np.array([0])))


def test_complete_pairs_are_told_from_those_with_gaps(tmp_path: Path) -> None:
    pairs = made_pairs(6)
    pairs.valid[:] = True
    pairs.valid[2, 5, 7] = False
    pairs.valid[4] = False
    PairStore.create(tmp_path / "pairs.zarr").append(pairs)
    store = PairStore(tmp_path / "pairs.zarr")
    assert store.complete().tolist() == [True, True, False, True, False, True]
    shutil.rmtree(tmp_path / "pairs.zarr" / "valid" / "c")
    with pytest.raises(PairStoreError, match="checksum"):
        PairStore(tmp_path / "pairs.zarr").complete()


def test_notes_are_kept_and_do_not_replace_each_other(tmp_path: Path) -> None:
    store = PairStore.create(tmp_path / "pairs.zarr")
    store.note(report={"kept": 3})
    store.note(licence="public domain")
    attrs = PairStore(tmp_path / "pairs.zarr").attrs
    assert attrs["report"] == {"kept": 3}
    assert attrs["licence"] == "public domain"


def test_shapes_are_checked() -> None:
    pairs = made_pairs(2)
    with pytest.raises(ValueError, match="years"):
        replace(pairs, years=pairs.years[:1])
    with pytest.raises(ValueError, match="past"):
        replace(pairs, past=pairs.past[:, :, :64])


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PairStoreError, match="landcast prepare"):
        PairStore(tmp_path / "missing.zarr")
    (tmp_path / "picture.png").write_bytes(b"no store")
    with pytest.raises(PairStoreError, match="it is a file"):
        PairStore(tmp_path / "picture.png")
    zarr.open_group(str(tmp_path / "other.zarr"), mode="w").attrs["format"] = "other/9"
    with pytest.raises(PairStoreError, match="other/9"):
        PairStore(tmp_path / "other.zarr")


def drawn_pairs(draw: st.DrawFn, side: int) -> Pairs:
    """Any values, NaN and negative positions too; images seeded, some wholly zero."""
    count = draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = draw(st.sampled_from([1, 256]))
    column = functools.partial(st.lists, min_size=count, max_size=count)
    text = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8)
    return Pairs(
        past=rng.integers(0, top, (count, 3, side, side)).astype(np.uint8),
        future=rng.integers(0, 256, (count, 3, side, side)).astype(np.uint8),
        valid=rng.random((count, side, side)) < rng.integers(0, 2),
        years=np.array(draw(column(st.floats(0.125, 50, width=32))), np.float32),
        gsd_m=np.array(draw(column(st.floats(width=32))), np.float32),
        row=np.array(draw(column(st.integers(-(2**31), 2**31 - 1))), np.int32),
        col=np.array(draw(column(st.integers(-(2**31), 2**31 - 1))), np.int32),
        split=np.array(draw(column(st.integers(0, 2))), np.uint8),
        source=np.array(draw(column(text)), dtype="<U8"),
    )


@given(st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
def test_any_pairs_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    side = data.draw(st.sampled_from([7, 16, 128]))
    parts = [drawn_pairs(data.draw, side) for _ in range(data.draw(st.integers(1, 3)))]
    path = tmp_path_factory.mktemp("any") / "p.zarr"
    PairStore.create(path, side_px=side)
    for part in parts:
        PairStore(path).append(part)
    read = PairStore(path).read()
    for field in fields(Pairs):
        whole = np.concatenate([getattr(part, field.name) for part in parts])
        if field.name == "source":
            assert read.source.tolist() == whole.tolist()
        else:
            assert getattr(read, field.name).tobytes() == whole.tobytes(), field.name


STORED = 40


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pairs]:
    path = tmp_path_factory.mktemp("stored") / "pairs.zarr"
    pairs = made_pairs(STORED, seed=5, side=32)
    PairStore.create(path, side_px=32).append(pairs)
    return path, pairs


@given(st.lists(st.integers(-STORED, STORED - 1), max_size=12))
@settings(max_examples=15)
def test_reading_some_is_taking_them(stored: tuple[Path, Pairs], index: list[int]) -> None:
    path, pairs = stored
    assert_equal(PairStore(path).read_some(index), pairs.take(np.array(index, int)))


def test_masks_slices_and_columns(stored: tuple[Path, Pairs]) -> None:
    path, pairs = stored
    store = PairStore(path)
    assert_equal(store.read_some(pairs.years > 5), pairs.take(pairs.years > 5))
    assert_equal(store.read_some(slice(30, 2, -7)), pairs.take(np.arange(30, 2, -7)))
    np.testing.assert_array_equal(store.column("gsd_m"), pairs.gsd_m)
    np.testing.assert_array_equal(store.column("source"), pairs.source)
    with pytest.raises(IndexError):
        store.read_some([STORED])
    with pytest.raises(ValueError, match="past"):
        store.column("past")


def test_only_the_files_that_hold_the_pairs_are_read(tmp_path: Path) -> None:
    store = PairStore.create(tmp_path / "p.zarr", side_px=128)
    whole = made_pairs(12)
    store.append(whole.take(np.arange(300) % 12))  # Two shards of 256.
    shards = sorted((tmp_path / "p.zarr" / "past" / "c").iterdir())
    assert [path.name for path in shards] == ["0", "1"]
    shutil.rmtree(shards[0])
    assert_equal(PairStore(tmp_path / "p.zarr").read_some([299]), whole.take(np.array([11])))
    with pytest.raises(PairStoreError, match="pair 3 "):
        PairStore(tmp_path / "p.zarr").read_some([3])


def test_a_damaged_file_is_an_error(stored: tuple[Path, Pairs], tmp_path: Path) -> None:
    path = tmp_path / "damaged.zarr"
    shutil.copytree(stored[0], path)
    shard = next(file for file in (path / "future" / "c").rglob("*") if file.is_file())
    content = bytearray(shard.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    shard.write_bytes(content)
    with pytest.raises(PairStoreError, match=re.escape(str(path))):
        PairStore(path).read()


def test_larger_chips_have_a_store_of_their_own(tmp_path: Path) -> None:
    store = PairStore.create(tmp_path / "p.zarr", side_px=300)
    chips = made_pairs(3, side=300)
    store.append(chips)
    assert (store.side_px, chips.side_px) == (300, 300)
    assert_equal(PairStore(tmp_path / "p.zarr").read_some([2]), chips.take(np.array([2])))
    with pytest.raises(PairStoreError, match=r"300 px.*128 px"):
        store.append(made_pairs(1))


def test_an_append_cut_off_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.zarr"
    first, second = made_pairs(5, side=16), made_pairs(4, seed=1, side=16)
    store = PairStore.create(path, side_px=16)
    store.append(first)

    def full(values: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(store._array("valid"), "append", full, raising=False)
    with pytest.raises(OSError, match="no space"):
        store.append(second)
    assert_equal(PairStore(path).read(), first)
    third = made_pairs(3, seed=2, side=16)
    PairStore(path).append(third)
    assert len(PairStore(path)) == 8
    assert_equal(PairStore(path).read().take(np.arange(5, 8)), third)


def test_what_another_has_appended_is_not_written_over(tmp_path: Path) -> None:
    pairs = made_pairs(6, side=16)
    first = PairStore.create(tmp_path / "p.zarr", side_px=16)
    second = PairStore(tmp_path / "p.zarr")
    for i, store in enumerate((first, second, first, second, second, first)):
        store.append(pairs.take(np.array([i])))
    assert_equal(PairStore(tmp_path / "p.zarr").read(), pairs)


def test_stores_are_joined(stored: tuple[Path, Pairs], tmp_path: Path) -> None:
    joined = PairStore.create(tmp_path / "p.zarr", side_px=32)
    more = made_pairs(2, seed=9, side=32)
    joined.append(more)
    joined.append_store(PairStore(stored[0]))
    assert_equal(joined.read().take(np.arange(2, 2 + STORED)), stored[1])
    assert_equal(joined.read_some([0, 1]), more)


def test_stores_without_count_and_checksums_can_still_be_read(
    stored: tuple[Path, Pairs], tmp_path: Path
) -> None:
    path, pairs = tmp_path / "old.zarr", stored[1]
    shutil.copytree(stored[0], path)
    group = zarr.open_group(str(path), mode="r+")
    del group["checksum"]
    del group.attrs["count"]
    assert_equal(PairStore(path).read(), pairs)
    np.testing.assert_array_equal(PairStore(path).checksums(), PairStore(stored[0]).checksums())
    PairStore(path).append(pairs.take(np.array([7])))
    assert_equal(PairStore(path).read_some([STORED]), pairs.take(np.array([7])))


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files as object stores do, with byte ranges; Python's own handler has none."""

    asked: list[tuple[str, int]]

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        start, stop = 0, len(content)
        if found and found[1]:
            start, stop = int(found[1]), min(int(found[2] or stop - 1) + 1, stop)
        elif found:
            start = max(stop - int(found[2]), 0)
        self.send_response(206 if found else 200)
        if found:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        self.wfile.write(content[start:stop])
        self.asked.append((self.path, stop - start))


@pytest.fixture
def served(stored: tuple[Path, Pairs]) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """The folder of the stored pairs behind a web server, and what was asked of it."""
    asked: list[tuple[str, int]] = []
    handler = type("Handler", (RangeHandler,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(stored[0].parent))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_a_store_behind_a_web_server(
    stored: tuple[Path, Pairs], served: tuple[str, list[tuple[str, int]]]
) -> None:
    pytest.importorskip("aiohttp")
    url, asked = served
    store = PairStore(f"{url}/pairs.zarr")
    assert store.read_only
    asked.clear()
    assert_equal(store.read_some([1, 30]), stored[1].take(np.array([1, 30])))
    whole = sum(file.stat().st_size for file in (stored[0] / "past").rglob("*") if file.is_file())
    read = [size for path, size in asked if "/past/c/" in path]
    assert read
    assert max(read) < whole  # A part of the shard, not all of it.
    assert_equal(store.read(), stored[1])
    with pytest.raises(PairStoreError, match="only be read"):
        store.append(stored[1])
    # What pathlib makes of a URL is understood too.
    assert len(PairStore(Path(f"{url}/pairs.zarr"))) == STORED


def test_what_is_missing_behind_a_web_server(served: tuple[str, list[tuple[str, int]]]) -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(PairStoreError, match="none"):
        PairStore(f"{served[0]}/nothing.zarr")
    with pytest.raises(PairStoreError, match="cannot be read"):
        PairStore("http://127.0.0.1:9/pairs.zarr")


def test_a_store_in_a_bucket(
    stored: tuple[Path, Pairs], served: tuple[str, list[tuple[str, int]]]
) -> None:
    """A bucket that anyone may read answers plain requests with ranges, as this server does."""
    pytest.importorskip("s3fs")
    options = {"anon": True, "endpoint_url": served[0], "skip_instance_cache": True}
    url = "s3://pairs.zarr"
    store = PairStore(url, storage_options=options)
    assert_equal(store.read_some([5, 6, 39]), stored[1].take(np.array([5, 6, 39])))


def test_an_object_store_is_made_and_appended_to() -> None:
    url = f"memory://{uuid.uuid4().hex}/pairs.zarr"
    pairs = made_pairs(6, side=16)
    store = PairStore.create(url, side_px=16)
    store.append(pairs.take(np.arange(4)))
    PairStore(url).append(pairs.take(np.arange(4, 6)))
    assert_equal(PairStore(url).read(), pairs)


def test_packages_that_are_missing_are_named() -> None:
    with pytest.raises(PairStoreError, match="gibberish"):
        PairStore("gibberish://pairs.zarr")


def test_a_folder_that_cannot_be_written_can_be_read(
    stored: tuple[Path, Pairs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # Root may write anywhere.
    store = PairStore(stored[0])
    assert len(store.read_some([0])) == 1
    for write in (lambda: store.append(stored[1]), lambda: store.note(a=1)):
        with pytest.raises(PairStoreError, match="only be read"):
            write()
