"""How well probabilities of change rank and how far they can be trusted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bin", "average_precision", "reliability"]


class Bin(NamedTuple):
    """Cells with probabilities in one range: their mean, the share that changed, their number."""

    expected: float
    changed: float
    cells: int


def average_precision(changed: NDArray[np.bool_], score: NDArray[np.floating]) -> float:
    """Mean precision at the rank of each changed cell; ties count as one rank.

    Args:
        changed: `(n,)` the truth.
        score: `(n,)`, higher where change is likelier.

    Returns:
        0..1, NaN where nothing changed.
    """
    if not changed.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(changed[order])
    last = np.append(np.diff(score[order]) != 0, True)
    found, called = hits[last], np.arange(1, len(order) + 1)[last]
    gained = np.diff(found, prepend=0)
    return float((gained * found / called).sum() / hits[-1])


def reliability(
    changed: NDArray[np.bool_],
    probability: NDArray[np.floating],
    edges: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8),
) -> list[Bin]:
    """Share of cells that changed in each range of probabilities; empty ranges are left out."""
    index = np.digitize(probability, edges)
    return [
        Bin(float(probability[own].mean()), float(changed[own].mean()), int(own.sum()))
        for own in (index == k for k in range(len(edges) + 1))
        if own.any()
    ]
