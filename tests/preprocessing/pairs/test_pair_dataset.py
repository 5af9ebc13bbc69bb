from __future__ import annotations

import multiprocessing
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from preprocessing.errors import PairStoreError
from preprocessing.pairs.dataset import Draw, MixedSampler, PairDataset
from preprocessing.pairs.store import Pairs, PairStore


def numbered(count: int, side: int, *, years: float) -> Pairs:
    """Past holds the pixel's row and column; future and valid follow from it."""
    rows, cols = np.indices((side, side))
    past = np.stack([rows, cols, rows * 0])[None].repeat(count, axis=0).astype(np.uint8)
    past[:, 2] = np.arange(count)[:, None, None]
    return Pairs(
        past=past,
        future=255 - past,
        valid=((past[:, 0].astype(int) + past[:, 1]) % 3 > 0),
        years=np.full(count, years, np.float32),
        gsd_m=np.full(count, np.nan if years > 5 else 0.6, np.float32),
        row=np.arange(count, dtype=np.int32),
        col=np.arange(count, dtype=np.int32),
        split=(np.arange(count) % 4 == 3).astype(np.uint8),
        source=np.array([f"set{years}/place/2016/2018"] * count),
    )


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One store of 128 px with 12 training pairs, one of 200 px with 3."""
    folder = tmp_path_factory.mktemp("stores")
    paths = [folder / "a.zarr", folder / "b.zarr"]
    for path, (count, side, years) in zip(paths, ((16, 128, 2.0), (4, 200, 7.0)), strict=True):
        PairStore.create(path, side_px=side).append(numbered(count, side, years=years))
    return paths


def rows_and_cols(sample: dict[str, torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    past = (sample["past"] * 255).round().int().numpy()
    return past[0], past[1]


def test_a_sample_is_the_pair_it_says(stores: list[Path]) -> None:
    data = PairDataset(stores, "train", flips_and_rotations=False, random_crops=False)
    assert data.counts == (12, 3)
    assert len(data) == 15
    sample = data[3]  # The first three and the fifth: every fourth is for validation.
    assert sample["past"].dtype == sample["valid"].dtype == torch.float32
    assert sample["past"].shape == (3, 128, 128)
    assert sample["valid"].shape == (1, 128, 128)
    assert (sample["past"][2] * 255).unique().tolist() == [4]
    torch.testing.assert_close(sample["future"], 1 - sample["past"])
    assert (float(sample["years"]), int(sample["index"])) == (2, 3)
    rows, cols = rows_and_cols(sample)
    assert (rows[:, 0] == np.arange(128)).all()
    assert (cols[0] == np.arange(128)).all()
    large = data[12]
    assert np.isnan(float(large["gsd_m"]))
    rows, cols = rows_and_cols(large)
    assert (rows[0, 0], cols[0, 0]) == (36, 36)


@settings(max_examples=40)
@given(st.integers(0, 14), st.integers(0, 5), st.integers(0, 99))
def test_past_future_and_valid_move_together(
    stores: list[Path], index: int, epoch: int, place: int
) -> None:
    sample = PairDataset(stores, crop=96)[Draw(index, epoch, place)]
    rows, cols = rows_and_cols(sample)
    torch.testing.assert_close(sample["future"], 1 - sample["past"])
    np.testing.assert_array_equal(sample["valid"][0].numpy(), (rows + cols) % 3 > 0)
    # A crop turned or mirrored: steps of one pixel along both axes, inside the chip.
    down, across = (np.abs(np.diff(values, axis=axis)) for values, axis in ((rows, 0), (rows, 1)))
    assert {int(down.max()), int(across.max())} == {0, 1}
    assert rows.max() - rows.min() == cols.max() - cols.min() == 95
    assert rows.max() < (200 if index >= 12 else 128)


def test_all_symmetries_and_crops_come(stores: list[Path]) -> None:
    data = PairDataset(stores)
    corners, crops = set(), set()
    for sample in data.__getitems__([Draw(12, 0, place) for place in range(64)]):
        rows, cols = rows_and_cols(sample)
        crops.add((rows.min(), cols.min()))
        rows, cols = rows - rows.min(), cols - cols.min()
        corners.add((rows[0, 0], cols[0, 0], rows[0, 1] == rows[0, 0]))
    assert len(corners) == 8
    assert len(crops) > 50
    assert max(row for row, _ in crops) > 60
    assert min(row for row, _ in crops) < 12


def collect(loader: DataLoader[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    batches = list(loader)
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}


def test_workers_change_nothing(stores: list[Path]) -> None:
    data = PairDataset(stores, weights=[1, 1], crop=64)
    expected = collect(DataLoader(data, batch_size=4, sampler=data.sampler(16)))
    for method, workers in (("fork", 2), ("spawn", 1)):
        loader = DataLoader(
            data,
            batch_size=8,
            sampler=data.sampler(16),
            num_workers=workers,
            multiprocessing_context=multiprocessing.get_context(method),
        )
        found = collect(loader)
        for name, values in expected.items():
            torch.testing.assert_close(
                found[name], values, rtol=0, atol=0, equal_nan=True, msg=f"{method} {name}"
            )


def test_open_stores_stay_in_their_process(stores: list[Path]) -> None:
    data = PairDataset(stores)
    _ = data[0]
    copy = pickle.loads(pickle.dumps(data))
    assert data._opened
    assert not copy._opened
    torch.testing.assert_close(copy[5]["past"], data[5]["past"])


def test_epochs_differ_and_can_be_repeated(stores: list[Path]) -> None:
    data = PairDataset(stores)
    sampler = data.sampler()
    first, second = list(sampler), list(sampler)
    assert sorted(draw.pair for draw in first) == list(range(15))
    assert [d.pair for d in first] != [d.pair for d in second]
    assert {d.epoch for d in first} == {0}
    assert {d.epoch for d in second} == {1}
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(PairDataset(stores, seed=1).sampler()) != first
    pixels = [data[Draw(12, epoch, 0)]["past"] for epoch in (0, 1)]
    assert not torch.equal(*pixels)
    still = data.sampler(shuffle=False)
    assert list(still) == list(still) == [Draw(i, 0, i) for i in range(15)]


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.floats(0, 5).filter(lambda w: w == 0 or w > 0.01)),
        min_size=1,
        max_size=5,
    ).filter(lambda parts: any(weight for _, weight in parts)),
    st.integers(1, 80),
    st.integers(0, 3),
)
def test_stores_are_mixed_in_their_shares(
    parts: list[tuple[int, float]], draws: int, epoch: int
) -> None:
    counts, weights = zip(*parts, strict=True)
    sampler = MixedSampler(counts, weights, draws=draws, seed=3)
    sampler.set_epoch(epoch)
    found = Counter(draw.pair for draw in sampler)
    assert sum(found.values()) == draws == len(sampler)
    start = 0
    for count, weight in parts:
        times = [found[index] for index in range(start, start + count)]
        assert abs(sum(times) - draws * weight / sum(weights)) < 1
        assert max(times) - min(times) <= 1
        start += count


def test_a_batch_is_its_samples(stores: list[Path]) -> None:
    data = PairDataset(stores)
    draws = [Draw(14, 1, 0), Draw(2, 1, 1), Draw(14, 1, 2), Draw(-1, 1, 3)]
    batch = data.__getitems__(draws)
    for sample, draw in zip(batch, draws, strict=True):
        torch.testing.assert_close(sample["past"], data[draw]["past"], rtol=0, atol=0)
    assert [int(sample["index"]) for sample in batch] == [14, 2, 14, 14]
    with pytest.raises(IndexError):
        data[15]


def test_what_cannot_be_drawn_is_refused(stores: list[Path], tmp_path: Path) -> None:
    with pytest.raises(PairStoreError, match="'test'"):
        PairDataset(stores, "test")
    with pytest.raises(PairStoreError, match="160 px"):
        PairDataset(stores, crop=160)
    with pytest.raises(ValueError, match="2 stores"):
        PairDataset(stores, weights=[1])
    with pytest.raises(ValueError, match="zeros"):
        PairDataset(stores, weights=[0, 0])
    with pytest.raises(PairStoreError, match="missing"):
        PairDataset([tmp_path / "missing.zarr"])
    PairStore.create(tmp_path / "empty.zarr")
    with pytest.raises(PairStoreError, match="weight 2"):
        PairDataset([stores[0], tmp_path / "empty.zarr"], weights=[1, 2])
    assert len(PairDataset([stores[0], tmp_path / "empty.zarr"])) == 12
