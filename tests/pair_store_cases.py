"""A store of pairs for the tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from preprocessing.pairs.store import Pairs, PairStore


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
