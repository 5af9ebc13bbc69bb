"""Least-cost paths over a grid of cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

__all__ = ["CostSurface"]

_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1))


class CostSurface:
    """Finds cheapest paths; moves go to the 16 cells around, so paths are not octagonal.

    Args:
        cost: `(h, w)` cost of a unit of length in each cell, > 0.
    """

    def __init__(self, cost: NDArray[np.float64]) -> None:
        rows, cols = cost.shape
        index = np.arange(rows * cols).reshape(rows, cols)
        starts, ends, weights = [], [], []
        for dy, dx in _STEPS:
            left, right = max(-dx, 0), cols - max(dx, 0)
            a = (slice(0, rows - dy), slice(left, right))
            b = (slice(dy, rows), slice(left + dx, right + dx))
            starts.append(index[a].ravel())
            ends.append(index[b].ravel())
            weights.append(((cost[a] + cost[b]) * 0.5 * np.hypot(dy, dx)).ravel())
        size = rows * cols
        self._graph = coo_matrix(
            (np.concatenate(weights), (np.concatenate(starts), np.concatenate(ends))),
            shape=(size, size),
        ).tocsr()

    def paths(self, start: int, ends: list[int]) -> list[NDArray[np.int64]]:
        """Cheapest paths of flat cell indexes from `start` to each end, both included."""
        before = dijkstra(self._graph, directed=False, indices=start, return_predecessors=True)[1]
        found = []
        for end in ends:
            path = [end]
            while path[-1] != start:
                path.append(int(before[path[-1]]))
            found.append(np.array(path[::-1]))
        return found
