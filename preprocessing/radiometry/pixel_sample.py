"""A fair sample of pixel pairs from regions of any size that does not depend on their tiling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PixelSample"]

# Small enough to stay in a processor's cache from one step of hashing to the next.
_STRIP_PIXELS = 1 << 14
_HALF = np.uint64(32)
# Odd factors with well spread bits: golden ratio, and the finalizer of SplitMix64 (Steele 2014).
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class PixelSample:
    """Distinct pairs of pixel values with their counts, at most `size` of them.

    Adaptive sampling (Flajolet 1990, "On adaptive sampling"): a pair of values is kept if its hash
    starts with `depth` zero bits, and `depth` grows by one whenever more than `size` are held. Each
    distinct pair is kept or not as a whole, with all its pixels, so what is held depends on the
    pixels only: not on order, tiles or the number of workers. Images of few colours are held whole.

    Attributes:
        size: Most pairs that are held.
        depth: Zero bits asked for; one distinct pair of `2 ** depth` is held.
        values: `(n, c)` uint16 levels, `c` the channels of both images together.
        counts: `(n,)` int64 pixels.
    """

    def __init__(self, channels: int, size: int = 1 << 16) -> None:
        self.size = size
        self.depth = 0
        self.values: NDArray[np.uint16] = np.zeros((0, channels), np.uint16)
        self.counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self._hashes: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def add(self, planes: NDArray[np.uint16]) -> None:
        """Add pixels `(c, n)`."""
        found: list[NDArray[np.intp]] = []
        hashes: list[NDArray[np.uint64]] = []
        held = 0
        for start in range(0, planes.shape[1], _STRIP_PIXELS):
            hashed = _hashed(planes[:, start : start + _STRIP_PIXELS])
            chosen = np.flatnonzero(self._deep_enough(hashed))
            found.append(chosen + start)
            hashes.append(hashed[chosen])
            held += len(chosen)
            if held > 4 * self.size or start + _STRIP_PIXELS >= planes.shape[1]:
                index = np.concatenate(found)
                self._take(np.concatenate(hashes), planes[:, index].T)
                found, hashes, held = [], [], 0

    def _deep_enough(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        if self.depth == 0:
            return np.ones(hashes.shape, bool)
        return np.asarray(hashes < np.uint64(1 << (64 - self.depth)))

    def _take(self, hashes: NDArray[np.uint64], values: NDArray[Any]) -> None:
        """Merge pairs that are deep enough, then deepen until few enough are held."""
        counts = np.concatenate([self.counts, np.ones(len(hashes), np.int64)])
        hashes = np.concatenate([self._hashes, hashes])
        known, first, place = np.unique(hashes, return_index=True, return_inverse=True)
        # Sums below 2 ** 53 are exact in the float64 that bincount uses.
        summed = np.bincount(place, weights=counts, minlength=len(known)).astype(np.int64)
        values = np.concatenate([self.values, values])[first]
        while len(known) > self.size:
            self.depth += 1
            chosen = self._deep_enough(known)
            known, values, summed = known[chosen], values[chosen], summed[chosen]
        self._hashes, self.values, self.counts = known, values, summed


def _hashed(planes: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """A well mixed 64-bit number for each column of `(c, n)`."""
    result = np.zeros(planes.shape[1], np.uint64)
    for plane in planes:
        result ^= plane
        result *= _FACTOR
        result ^= result >> _HALF
    for factor in _MIX:
        result *= factor
        result ^= result >> _HALF
    return result
