from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from preprocessing.errors import PairStoreError
from preprocessing.pairs import Pairs, PairStore


def made_pairs(count: int, seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    return Pairs(
        past=rng.integers(0, 256, (count, 3, 128, 128)).astype(np.uint8),
        future=rng.integers(0, 256, (count, 3, 128, 128)).astype(np.uint8),
        valid=rng.random((count, 128, 128)) > 0.1,
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
    zarr.open_group(str(tmp_path / "other.zarr"), mode="w").attrs["format"] = "other/9"
    with pytest.raises(PairStoreError, match="other/9"):
        PairStore(tmp_path / "other.zarr")
