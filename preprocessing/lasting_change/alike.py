"""A cell beside others of its place: those that look like it, and its neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["beside_like_cells", "distance", "log_size", "nearest_around", "step_to_neighbours"]

_LIKE = 24
"""Cells of like colour that a cell is compared with."""
_MOST_LIKE = 6000
"""Cells of a place among which like ones are looked for."""


def distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
    """Root mean square difference over the first axis."""
    return np.asarray(np.sqrt(((x - y) ** 2).mean(axis=0)))


def log_size(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Logarithm of a distance in spreads of the place; below 0.05 all are alike."""
    return np.asarray(np.log(np.maximum(x, 0) + 0.05))


def beside_like_cells(
    known: NDArray[np.bool_],
    b_mean: NDArray[np.float32],
    a_mean: NDArray[np.float32],
    b_swing: NDArray[np.floating],
    a_swing: NDArray[np.floating],
    smallest: NDArray[np.floating],
) -> list[NDArray[np.floating]]:
    """A cell beside cells of the place that look like it.

    How far it differs beyond those that looked like it before (what all pastures do is weather);
    how far those swing that look like it before and after (fields swing, roofs do not); how rare
    its look after was before, and the other way round.
    """
    old, new = b_mean[:, known].T, a_mean[:, known].T
    every = slice(None, None, -(-len(old) // _MOST_LIKE))
    count = min(_LIKE, len(old[every]))
    old_tree, new_tree = cKDTree(old[every]), cKDTree(new[every])

    def nearest(tree: cKDTree, look: NDArray[np.float32]) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
        apart, index = tree.query(look, k=count)
        return apart.reshape(len(look), count), index.reshape(len(look), count)

    _, of_old = nearest(old_tree, old)
    _, of_new = nearest(new_tree, new)
    rare_new, _ = nearest(old_tree, new)
    rare_old, _ = nearest(new_tree, old)
    own = smallest[known]
    beyond = log_size(own) - log_size(np.median(own[every][of_old], axis=1))
    found = [
        beyond,
        log_size(np.median(b_swing[known][every][of_old], axis=1)),
        log_size(np.median(a_swing[known][every][of_new], axis=1)),
        log_size(rare_new.mean(axis=1)),
        log_size(rare_old.mean(axis=1)),
    ]
    maps: list[NDArray[np.floating]] = []
    for values in found:
        filled = np.zeros(known.shape)
        filled[known] = values
        maps.append(filled)
    return maps


def nearest_around(
    b_mean: NDArray[np.float32], a_mean: NDArray[np.float32], known: NDArray[np.bool_], reach: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """How near the look after comes to what a neighbour was before, and the other way round."""
    h, w = known.shape
    pad = ((0, 0), (reach, reach), (reach, reach))
    became = np.full((h, w), np.inf, np.float32)
    was = np.full((h, w), np.inf, np.float32)
    b_pad, a_pad = (np.pad(x, pad, mode="edge") for x in (b_mean, a_mean))
    k_pad = np.pad(known, pad[1:])
    for row in range(2 * reach + 1):
        for col in range(2 * reach + 1):
            if row == reach and col == reach:
                continue
            here = (slice(row, row + h), slice(col, col + w))
            near = k_pad[here]
            became = np.where(near, np.minimum(became, distance(b_pad[:, *here], a_mean)), became)
            was = np.where(near, np.minimum(was, distance(a_pad[:, *here], b_mean)), was)
    return np.where(np.isfinite(became), became, 0), np.where(np.isfinite(was), was, 0)


def step_to_neighbours(mean: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Mean difference to the four neighbours."""
    pad = np.pad(mean, ((0, 0), (1, 1), (1, 1)), mode="edge")
    h, w = known.shape
    around = [(0, 1), (2, 1), (1, 0), (1, 2)]
    return np.asarray(
        np.mean([distance(pad[:, r : r + h, c : c + w], mean) for r, c in around], axis=0)
    )
