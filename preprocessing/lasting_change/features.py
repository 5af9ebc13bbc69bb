"""What a series tells of a cell without its colours: how far it differed, swung, stood out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from preprocessing.lasting_change.alike import (
    beside_like_series,
    distance,
    log_size,
    nearest_around,
    step_to_neighbours,
)
from preprocessing.lasting_change.dated_cells import DatedCells
from preprocessing.lasting_change.transitions import kinds_of_looks, transitions

__all__ = ["FEATURES", "series_features"]

FEATURES = (
    "smallest",
    "low",
    "median",
    "largest",
    "smallest_plain",
    "smallest_over_usual",
    "means_over_usual",
    "swing_before",
    "swing_after",
    "means",
    "means_over_swing",
    "gap",
    "across",
    "last_to_after",
    "before_to_first",
    "texture_before",
    "texture_after",
    "texture_change",
    "texture_gap",
    "ahead_of_like",
    "usual_ahead",
    "back_of_like",
    "usual_back",
    "beyond_like_before",
    "beyond_like_after",
    "smallest_of_like_after",
    "excess_of_turn",
    "one_way",
    "overlap",
    "near_became",
    "near_was",
    "wide_became",
    "wide_was",
    "step_before",
    "step_after",
    "few_before",
    "few_after",
)
"""Names of the features in their order."""

_RIDGE = 0.05
_STEADY = 1e-3
"""Variance below which a colour's swing is rounding, in units of the place's."""


def series_features(before: DatedCells, after: DatedCells) -> NDArray[np.float32]:
    """Features `(f, h, w)` of `FEATURES`; 0 where a cell has no valid date on a side.

    Colours enter only as differences, in units of the spread of the place's own colours: each date
    is multiplied by the inverse square root of the covariance of the colours of the last date
    before, so that the order of bands, gain and mixtures of bands do not matter. Textures enter
    as ratios to the place's median.

    Args:
        before: Dates up to the start.
        after: Dates from the target on, in the same colours.
    """
    known = np.asarray(before.valid.any(axis=0) & after.valid.any(axis=0))
    if not known.any():
        return np.zeros((len(FEATURES), *known.shape), np.float32)
    before, after = (x.of(np.flatnonzero(x.valid.any(axis=(1, 2)))) for x in (before, after))
    b_valid, a_valid = before.valid, after.valid
    unit, plain = _units(before.means, b_valid)
    b, a = _times(unit, before.means), _times(unit, after.means)
    pairs = np.stack([distance(x, y) for x in b for y in a])
    both = np.stack([p & q for p in b_valid for q in a_valid])
    pairs = np.where(both, pairs, np.nan)
    raw = np.stack([distance(x, y) for x in before.means for y in after.means]) / plain
    raw = np.where(both, raw, np.inf).min(axis=0)
    smallest, low, median, largest = _quantiles(pairs, (0.0, 0.2, 0.5, 1.0))
    b_mean, a_mean = _mean(b, b_valid), _mean(a, a_valid)
    b_swing, a_swing = _swing(b, b_valid), _swing(a, a_valid)
    shift = distance(b_mean, a_mean)
    across = _across(b, b_valid, a, a_valid, b_mean, a_mean)
    b_texture, a_texture, texture_gap = _textures(before, after)
    usual = _usual(b, a, b_valid, a_valid)
    b_usual, a_usual = _times(usual, b), _times(usual, a)
    over = np.stack([distance(x, y) for x in b_usual for y in a_usual])
    over = np.where(both, over, np.inf).min(axis=0)
    means_over = distance(_mean(b_usual, b_valid), _mean(a_usual, a_valid))
    kinds = kinds_of_looks(np.concatenate([b, a]), np.concatenate([b_valid, a_valid]))
    rare = [x.reshape(known.shape) for x in transitions(kinds[: len(b)], kinds[len(b) :])]
    b_series, a_series = _series(b, b_valid, known), _series(a, a_valid, known)
    like = [_back(x, known) for x in beside_like_series(b_series, a_series, smallest[known])]
    became, was = nearest_around(b_mean, a_mean, known, 1)
    wide_became, wide_was = nearest_around(b_mean, a_mean, known, 4)
    last = distance(b[-1], a_mean)
    first = distance(b_mean, a[0])
    found = [
        *(log_size(x) for x in (smallest, low, median, largest, raw)),
        *(log_size(np.where(known, x, 0)) for x in (over, means_over)),
        *(log_size(x) for x in (b_swing, a_swing, shift)),
        np.log((shift + 0.02) / (b_swing + a_swing + 0.1)),
        np.clip((smallest - np.maximum(b_swing, a_swing)) / (median + 0.1), -3, 3),
        np.clip(across / (shift + 0.1), -3, 3),
        np.where(b_valid[-1], log_size(last), log_size(shift)),
        np.where(a_valid[0], log_size(first), log_size(shift)),
        b_texture,
        a_texture,
        a_texture - b_texture,
        texture_gap,
        *like,
        *rare,
        *(log_size(x) for x in (became, was, wide_became, wide_was)),
        *(log_size(np.where(known, step_to_neighbours(x, known), 0)) for x in (b_mean, a_mean)),
        1 / np.maximum(b_valid.sum(axis=0), 1),
        1 / np.maximum(a_valid.sum(axis=0), 1),
    ]
    stacked = np.stack([np.where(known, x, 0.0) for x in found])
    return np.asarray(np.nan_to_num(stacked), np.float32)


def _units(
    means: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Inverse square root of the covariance of a place's colours, and their mean deviation."""
    colours = means[-1][:, valid[-1]].astype(np.float64)
    covariance = np.cov(colours) if colours.shape[1] > 3 else np.eye(3) * 400.0
    spread = float(np.trace(covariance)) / 3 + 1e-6
    values, vectors = np.linalg.eigh(covariance + _RIDGE * spread * np.eye(3))
    return (vectors / np.sqrt(values)) @ vectors.T, float(np.sqrt(spread))


def _usual(
    b: NDArray[np.float32],
    a: NDArray[np.float32],
    b_valid: NDArray[np.bool_],
    a_valid: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Inverse square root of the covariance of what cells swing from date to date of a period.

    In its units a difference is large along colours that seldom swing. Cells that change within a
    period count little (weights of a Student distribution of three degrees of freedom).
    """
    steps = [
        (x[date + 1] - x[date])[:, v[date] & v[date + 1]]
        for x, v in ((b, b_valid), (a, a_valid))
        for date in range(len(x) - 1)
    ]
    swings = np.concatenate([*steps, np.zeros((3, 1))], axis=1).astype(np.float64)
    covariance = swings @ swings.T / swings.shape[1]
    for _ in range(3):
        inverse = np.linalg.inv(covariance + _STEADY * np.eye(3))
        weight = 1 / (1 + (swings * (inverse @ swings)).sum(axis=0) / 3)
        covariance = (swings * weight) @ swings.T / weight.sum()
    values, vectors = np.linalg.eigh(covariance + _STEADY * np.eye(3))
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)


def _series(
    x: NDArray[np.float32], valid: NDArray[np.bool_], known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Looks `(n, 3 d)` of the known cells at all dates; the mean where one is not valid."""
    filled = np.where(valid[:, None], x, _mean(x, valid))
    return np.asarray(filled[:, :, known].reshape(-1, int(known.sum())).T)


def _back(values: NDArray[np.floating], known: NDArray[np.bool_]) -> NDArray[np.floating]:
    """A map of the values of the known cells."""
    filled = np.zeros(known.shape)
    filled[known] = values
    return filled


def _times(unit: NDArray[np.float64], means: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("kc,dchw->dkhw", unit, means), np.float32)


def _quantiles(
    values: NDArray[np.floating], levels: tuple[float, ...]
) -> list[NDArray[np.floating]]:
    """Quantiles along the first axis of what is not NaN, nearest rank; 0 where all is."""
    ordered = np.sort(values, axis=0)
    count = np.isfinite(values).sum(axis=0)
    found = []
    for level in levels:
        rank = np.rint(level * np.maximum(count - 1, 0)).astype(int)
        chosen = np.take_along_axis(ordered, rank[None], axis=0)[0]
        found.append(np.where(count > 0, chosen, 0))
    return found


def _mean(x: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    weight = valid[:, None].astype(np.float32)
    return np.asarray((x * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), 1))


def _swing(x: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Median difference between dates of one period."""
    pairs = [
        np.where(valid[p] & valid[q], distance(x[p], x[q]), np.nan)
        for p, q in combinations(range(len(x)), 2)
    ]
    if not pairs:
        return np.zeros(x.shape[2:], np.float32)
    return _quantiles(np.stack(pairs), (0.5,))[0]


def _across(
    b: NDArray[np.float32],
    b_valid: NDArray[np.bool_],
    a: NDArray[np.float32],
    a_valid: NDArray[np.bool_],
    b_mean: NDArray[np.float32],
    a_mean: NDArray[np.float32],
) -> NDArray[np.floating]:
    """Gap between the periods along the line through their means; negative where they overlap."""
    axis = a_mean - b_mean
    axis = axis / (np.sqrt((axis**2).sum(axis=0)) + 1e-3)
    of_b = np.where(b_valid, (b * axis).sum(axis=1), -np.inf).max(axis=0)
    of_a = np.where(a_valid, (a * axis).sum(axis=1), np.inf).min(axis=0)
    gap = of_a - of_b
    return np.where(np.isfinite(gap), gap, 0)


def _textures(before: DatedCells, after: DatedCells) -> list[NDArray[np.floating]]:
    """Logarithms of the textures before and after over the place's, and their gap."""
    shown = np.concatenate([x.texture[x.valid] for x in (before, after) if x.valid.any()])
    scale = float(np.median(shown)) + 1e-3
    logs = [np.log(x.texture / scale + 0.2) for x in (before, after)]
    b, a = (np.where(x.valid, t, np.nan) for x, t in zip((before, after), logs, strict=True))
    (b_low, b_mid, b_high), (a_low, a_mid, a_high) = (
        _quantiles(x, (0.0, 0.5, 1.0)) for x in (b, a)
    )
    return [b_mid, a_mid, np.maximum(a_low - b_high, b_low - a_high)]
