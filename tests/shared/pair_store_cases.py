"""A store of pairs for the tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pictures import picture

from preprocessing.pairs.store import Pairs, PairStore

DATES = ("2010-01-01", "2012-01-01", "2015-01-01")


def make_store(path: Path, n: int = 12) -> Path:
    """Past tiles with one bright half; the bright half darkens with the years."""
    generator = np.random.default_rng(1)
    past = generator.integers(60, 90, (n, 3, 128, 128)).astype(np.uint8)
    past[..., 64:] += 100
    years = np.tile([1.0, 4.0], n // 2).astype(np.float32)
    future = past.astype(np.float32)
    future[..., 64:] -= 10 * years[:, None, None, None]
    store = PairStore.create(path)
    store.append(
        Pairs(
            past=past,
            future=future.astype(np.uint8),
            valid=np.ones((n, 128, 128), bool),
            years=years,
            gsd_m=np.full(n, 10, np.float32),
            row=np.zeros(n, np.int32),
            col=np.zeros(n, np.int32),
            split=(np.arange(n) >= n - 4).astype(np.uint8),
            source=np.array([f"toy/{i}/2000/2001" for i in range(n)]),
        )
    )
    return path


def place_pairs(
    dataset: str, place: str, seed: int, *, position: tuple[int, int] = (0, 0)
) -> Pairs:
    """Three dates of one tile as three pairs; each date is 10 levels brighter in one quarter."""
    images = [picture(128, 128, seed=seed).clip(0, 200)]
    for _ in range(2):
        later = images[-1].copy()
        later[:, :64, :64] += 10
        images.append(later)
    chosen = ((0, 1), (1, 2), (0, 2))
    years = np.array([DATES[j].split("-")[0] for j in range(3)], float)
    n = len(chosen)
    return Pairs(
        past=np.stack([images[i] for i, _ in chosen]),
        future=np.stack([images[j] for _, j in chosen]),
        valid=np.ones((n, 128, 128), bool),
        years=np.array([years[j] - years[i] for i, j in chosen], np.float32),
        gsd_m=np.full(n, 10, np.float32),
        row=np.full(n, position[0], np.int32),
        col=np.full(n, position[1], np.int32),
        split=np.ones(n, np.uint8),
        source=np.array([f"{dataset}/{place}/{DATES[i]}/{DATES[j]}" for i, j in chosen]),
    )
