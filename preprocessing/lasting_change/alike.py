"""A cell beside others of its place: those whose series was like its own, and its neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["beside_like_series", "distance", "log_size", "nearest_around", "step_to_neighbours"]

_LIKE = 16
"""Cells of like series that a cell is compared with."""
_AMONG = 1000
"""Cells of a place among which like ones are looked for."""
_AT_ONCE = 8192


def distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
    """Root mean square difference over the first axis."""
    return np.asarray(np.sqrt(((x - y) ** 2).mean(axis=0)))


def log_size(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Logarithm of a distance in spreads of the place; below 0.05 all are alike."""
    return np.asarray(np.log(np.maximum(x, 0) + 0.05))


def beside_like_series(
    before: NDArray[np.floating], after: NDArray[np.floating], smallest: NDArray[np.floating]
) -> list[NDArray[np.floating]]:
    """A cell beside cells of the place whose looks were like its own, date by date.

    Cells that looked alike at every date before are of one kind of ground and under one weather, so
    they look alike after, unless one of them has changed; and the other way round.

    Args:
        before: `(n, p)` looks at the dates before, in units of the place's spread.
        after: `(n, q)`, at the dates after.
        smallest: `(n,)` smallest difference from a date before to one after.

    Returns:
        `(n,)` each, logarithms: how far the looks after are from the median of those of cells alike
        before, and how far these are themselves; the same of the looks before of cells alike
        after; how far the cell differs beyond cells alike before, and beyond cells alike after, and
        how far the latter differ (who joins a town differs, the town does not).
    """
    every = -(-len(before) // _AMONG)
    own = log_size(smallest)
    found = []
    for one, other in ((before, after), (after, before)):
        like = _most_like(one, every)
        apart, usual = _beside(other, every, like)
        found.append((log_size(apart), log_size(usual), np.median(own[::every][like], axis=1)))
    (ahead, usual_ahead, like_before), (back, usual_back, like_after) = found
    return [
        ahead,
        usual_ahead,
        back,
        usual_back,
        own - like_before,
        own - like_after,
        like_after,
    ]


def _most_like(series: NDArray[np.floating], every: int) -> NDArray[np.intp]:
    """Indices `(n, _LIKE)`, among each `every`-th, of those nearest to each of `(n, p)`."""
    among = series[::every]
    size, count = (among**2).sum(axis=1), min(_LIKE, len(among))
    parts = []
    for start in range(0, len(series), _AT_ONCE):
        apart = size - 2 * series[start : start + _AT_ONCE] @ among.T
        parts.append(np.argpartition(apart, count - 1, axis=1)[:, :count])
    return np.concatenate(parts)


def _beside(
    series: NDArray[np.floating], every: int, like: NDArray[np.intp]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Distance of each series to the median of its like, and the median distance of these."""
    others = series[::every][like]
    middle = np.median(others, axis=1)
    usual = np.median(np.sqrt(((others - middle[:, None]) ** 2).mean(axis=-1)), axis=1)
    return np.sqrt(((series - middle) ** 2).mean(axis=1)), usual


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
