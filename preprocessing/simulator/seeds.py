"""Random streams: one per process and year, so no process disturbs another."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["generator", "hash_unit"]


def generator(seed: int, process: str, year: int = 0) -> np.random.Generator:
    """Counter-based generator that belongs to one process and year of a world.

    Args:
        seed: Seed of the world, 0 or more.
        process: Name of the process.
        year: Index of the year, 0 or more.
    """
    key = (zlib.crc32(process.encode()), year)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def hash_unit(ids: NDArray[Any], salt: int) -> NDArray[np.float32]:
    """Uniform numbers in 0..1 that depend only on each integer and `salt`.

    The mixing function is SplitMix64 (Steele, Lea and Flood 2014).
    """
    offset = np.uint64((salt * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF)
    x = ids.astype(np.int64).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + offset
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return np.asarray((x >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24))
