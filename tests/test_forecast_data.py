"""Batches of the forecaster: drawing, reading, augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from forecast.training.data import PairData
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs, PairStore
from tests.training_cases import make_store


def test_batches_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    index = PairIndex.of([make_store(tmp_path / "pairs.zarr")], "train")
    first, again = PairData(index, seed=1), PairData(index, seed=1)
    first.batch(0, 4)
    assert torch.equal(first.batch(7, 4).past, again.batch(7, 4).past)
    assert not torch.equal(first.batch(7, 4).past, first.batch(8, 4).past)


def test_only_pairs_that_are_drawn_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    read_some = PairStore.read_some

    def counted(store: PairStore, index: Any) -> Pairs:
        pairs = read_some(store, index)
        read.append(len(pairs))
        return pairs

    monkeypatch.setattr(PairStore, "read_some", counted)
    data = PairData(PairIndex.of([make_store(tmp_path / "pairs.zarr", 100)], "train"), seed=1)
    data.fingerprint()
    assert read == []
    data.batch(0, 4)
    assert read == [4]
    data.target_scale(90)
    assert read == [4, 64, 26]


def test_other_pixels_are_other_pairs(tmp_path: Path) -> None:
    first = make_store(tmp_path / "first.zarr")
    second = PairStore.create(tmp_path / "second.zarr")
    pairs = PairStore(first).read()
    pairs.past[3, 0, 5, 5] += 1
    second.append(pairs)
    found = {
        PairData(PairIndex.of([s], "train"), seed=1).fingerprint() for s in (first, second.location)
    }
    assert len(found) == 2


def test_augmentation_moves_past_and_future_together(tmp_path: Path) -> None:
    index = PairIndex.of([make_store(tmp_path / "pairs.zarr")], "train")
    data = PairData(index, seed=1, colour_jitter=0.0)
    for step in range(8):
        batch = data.batch(step, 1)
        bright = torch.nn.functional.avg_pool2d(batch.past, 4) > 0.5
        assert (batch.difference[bright] < -0.03).all()
        assert (batch.difference[~bright].abs() < 1e-6).all()
