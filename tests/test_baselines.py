from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from forecast.baselines import DressedPersistence, persistence
from forecast.training.data import PairData
from preprocessing.errors import ModelFolderError
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs, PairStore


def pairs(n: int = 40, *, noise: float = 10.0) -> Pairs:
    """Tiles whose future differs by block noise that doubles from horizon 1 to 4."""
    generator = np.random.default_rng(0)
    years = np.where(np.arange(n) % 2 == 0, 1.0, 4.0).astype(np.float32)
    past = np.full((n, 3, 128, 128), 120, np.uint8)
    blocks = generator.normal(0, noise, (n, 3, 32, 32)) * np.sqrt(years)[:, None, None, None]
    change = np.rint(blocks).repeat(4, -1).repeat(4, -2)
    return Pairs(
        past=past,
        future=np.clip(past + change, 0, 255).astype(np.uint8),
        valid=np.ones((n, 128, 128), bool),
        years=years,
        gsd_m=np.where(np.arange(n) < n // 2, 1.0, 30.0).astype(np.float32),
        row=np.zeros(n, np.int32),
        col=np.zeros(n, np.int32),
        split=np.zeros(n, np.uint8),
        source=np.array([f"{'fine' if i < n // 2 else 'coarse'}/{i}/a/b" for i in range(n)]),
    )


def test_dressing_has_the_spread_of_its_horizon(tmp_path: Path) -> None:
    store = PairStore.create(tmp_path / "pairs.zarr")
    store.append(pairs())
    index = PairIndex.of([store.location], "train")
    DressedPersistence.fit(PairData(index, seed=0)).save(tmp_path)
    dressed = DressedPersistence.load(tmp_path)
    low = torch.zeros(2, 3, 32, 32)
    near = dressed.members(low, years=1, gsd_m=1.0, count=20, seed=0)
    far = dressed.members(low, years=4, gsd_m=1.0, count=20, seed=0)
    assert near.shape == (20, 2, 3, 32, 32)
    assert float(near.std() * 255) == pytest.approx(10, rel=0.05)
    assert float(far.std() * 255) == pytest.approx(20, rel=0.05)
    assert not torch.equal(near[0], near[1])


def test_persistence_is_no_change() -> None:
    assert torch.equal(persistence(torch.rand(2, 3, 4, 4)), torch.zeros(1, 2, 3, 4, 4))


def test_missing_dressing_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"dressed_persistence\.json"):
        DressedPersistence.load(tmp_path)
