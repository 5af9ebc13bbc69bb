"""Which looks of a place turn into which: crops rotate there and back, building is one-way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

__all__ = ["kinds_of_looks", "transitions"]

_KINDS = 16
_MOST_LOOKS = 4000
"""Looks of a place that its kinds are found from."""
_RARE = 1e-4
"""Share of all transitions far below which one counts as rare, however rare it is."""


def transitions(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """How usual it is in this place that ground turns from its looks before to those after.

    Counted over all cells and pairs of dates: which kinds of look the same ground had in one period
    (what lasts, swings and rotates), and which it had before and after.

    Args:
        before: `(b, n, k)` shares of `kinds_of_looks`, dates before.
        after: `(a, n, k)`, dates after.

    Returns:
        `(n,)` each, means over the cell's pairs of dates. Logarithm of how much oftener its looks
        follow each other from before to after than within a period; of how much oftener so than in
        reverse; and the share of its looks that are of the same kinds before and after.
    """
    within = _within(before) + _within(after)
    b, a = before.sum(axis=0), after.sum(axis=0)
    across = (b.T @ a).astype(np.float64)
    across /= max(float(across.sum()), 1e-9)
    within /= max(float(within.sum()), 1e-9)
    b /= np.maximum(b.sum(axis=1, keepdims=True), 1e-9)
    a /= np.maximum(a.sum(axis=1, keepdims=True), 1e-9)

    def oftener(table: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.floating]:
        ratio = np.log((table + _RARE) / (other + _RARE)).astype(np.float32)
        return np.asarray(((b @ ratio) * a).sum(axis=1))

    overlap = np.minimum(b, a).sum(axis=1)
    return oftener(across, within), oftener(across, across.T), overlap


def kinds_of_looks(looks: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Shares `(d, h * w, k)` of the kinds that each look is near to; zeros where it is not valid.

    Kinds are the clusters of the place's looks at all its dates (k-means), so they know no names
    of colours, nor the order of bands.

    Args:
        looks: `(d, 3, h, w)` colours in which distances count.
        valid: `(d, h, w)`.
    """
    shown = looks.transpose(0, 2, 3, 1)[valid].astype(np.float64)
    sample = shown[:: -(-len(shown) // _MOST_LOOKS)]
    distinct = len(np.unique(sample.round(3), axis=0))
    found, _ = kmeans2(sample, min(_KINDS, distinct), 12, minit="++", seed=0)
    centres = found.astype(np.float32)
    flat = looks.transpose(0, 2, 3, 1).reshape(-1, 3)
    apart = (flat**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * flat @ centres.T
    between = ((centres[:, None] - centres) ** 2).sum(axis=-1)
    np.fill_diagonal(between, np.inf)
    reach = float(np.median(between.min(axis=1))) / 2 + 1e-6
    near = np.exp((apart.min(axis=1, keepdims=True) - apart) / reach)
    near /= near.sum(axis=1, keepdims=True)
    return np.asarray(near.reshape(len(looks), -1, len(centres)) * valid.reshape(len(looks), -1, 1))


def _within(period: NDArray[np.float32]) -> NDArray[np.float64]:
    """How often the same ground had two kinds at two dates of a period, both ways."""
    every = period.sum(axis=0)
    once = np.einsum("dni,dnj->ij", period, period, optimize=True)
    return np.asarray(every.T @ every - once, np.float64)
