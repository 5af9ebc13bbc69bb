from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pair_store_cases import place_pairs

from preprocessing.errors import PairStoreError
from preprocessing.pairs.store import PairStore
from preprocessing.series.pair_index import PairIndex, choose_evenly


def test_stores_that_cannot_be_scored_are_refused(tmp_path: Path) -> None:
    made = PairStore.create(tmp_path / "a.zarr")
    made.append(place_pairs("a", "b", 0))
    with pytest.raises(PairStoreError, match="split 'train'"):
        PairIndex.of([tmp_path / "a.zarr"], "train")
    PairStore.create(tmp_path / "large.zarr", side_px=256)
    with pytest.raises(PairStoreError, match="256 px"):
        PairIndex.of([tmp_path / "large.zarr"], "val")


def test_pairs_are_chosen_evenly() -> None:
    datasets = np.array(["b"] * 50 + ["a"] * 5)
    chosen = choose_evenly(datasets, 20, seed=3)
    assert datasets[chosen].tolist() == ["a"] * 5 + ["b"] * 10
    assert len(set(chosen.tolist())) == 15
    np.testing.assert_array_equal(choose_evenly(datasets, 20, seed=3), chosen)
    assert (choose_evenly(datasets, 20, seed=4) != chosen).any()
