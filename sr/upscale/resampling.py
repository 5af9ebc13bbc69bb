"""From four times to any scale: weights of the network's pixels for each asked pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["axis_weights"]

_LOBES = 3


def axis_weights(
    begin: int, end: int, *, step: float, first: int, last: int
) -> NDArray[np.float32]:
    """How pixels `begin..end` of the result are made of pixels `first..last` of a finer axis.

    Area means where the result is coarser, so that nothing aliases and means stay; Lanczos-3 where
    it is finer. Both axes begin at the same place; pixels before it have negative numbers.

    Args:
        begin: First pixel of the result.
        end: One beyond its last.
        step: Size of a result pixel in pixels of the other axis.
        first: First pixel of the other axis that is there.
        last: One beyond its last.

    Returns:
        `(end - begin, last - first)`, rows sum to 1.
    """
    lower = np.arange(begin, end)[:, None] * step
    pixels = np.arange(first, last)[None, :].astype(np.float64)
    if step >= 1:
        weights = np.clip(np.minimum(lower + step, pixels + 1) - np.maximum(lower, pixels), 0, None)
    else:
        distance = pixels + 0.5 - (lower + step / 2)
        weights = np.sinc(distance) * np.sinc(distance / _LOBES) * (np.abs(distance) < _LOBES)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights, dtype=np.float32)
