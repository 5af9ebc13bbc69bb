"""Rules of thumb for where ground changes: maps that rank cells, learnt from nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from forecast.evaluation.cases.case import SeriesCase

__all__ = ["RULES", "changed_before", "climatology", "linear_trend", "near", "texture"]

Fields = NDArray[np.float32]
Rule = Callable[[SeriesCase], Fields | None]
"""Case to `(h, w)`, higher where change is likelier; None where the case lacks what it needs."""

_CHANGE_WIDTH, _TEXTURE_WIDTH = 1.5, 2.0
_LOOKS = 8


def changed_before(case: SeriesCase) -> Fields | None:
    """Where the ground differed from images about 3 and 8 years older, it changes again.

    Mean absolute difference over bands and images, smoothed with a Gaussian of 1.5 cells.
    """
    if not case.older:
        return None
    older = list(case.older)
    seen = case.earlier_seen[older].astype(np.float32)
    apart = np.abs(case.earlier[older] - case.present).mean(axis=1) * seen
    known = seen.sum(axis=0)
    return _smooth(apart.sum(axis=0) / np.maximum(known, 1), known > 0, _CHANGE_WIDTH)


def texture(case: SeriesCase) -> Fields | None:
    """Where the present is rough: size of the gradient of its grey, smoothed over 2 cells."""
    slopes = np.gradient(case.present.mean(axis=0))
    return _smooth(np.abs(slopes).sum(axis=0), np.ones(case.seen.shape, bool), _TEXTURE_WIDTH)


def climatology(case: SeriesCase) -> Fields | None:
    """Where the dates so far differ: their standard deviation, mean over bands, not smoothed."""
    members = earlier_looks(case)
    return None if members is None else np.asarray(members.std(axis=0).mean(axis=0), np.float32)


def linear_trend(case: SeriesCase) -> Fields | None:
    """Where the change so far, gone on at its pace, leads furthest."""
    future = trended(case)
    return None if future is None else np.asarray(np.abs(future - case.present).mean(axis=0))


def near(case: SeriesCase) -> Fields | None:
    """Near what is there already, as towns grow; only where covers are known (made worlds)."""
    if case.already is None or not case.already.any():
        return None
    return np.asarray(-distance_transform_edt(~case.already), np.float32)


RULES: dict[str, Rule] = {
    "changed before": changed_before,
    "texture": texture,
    "climatology": climatology,
    "linear trend": linear_trend,
    "near what is there": near,
}


def earlier_looks(case: SeriesCase) -> Fields | None:
    """The present and up to eight dates before it as members `(m, 3, h, w)`.

    Where an earlier date saw nothing it has the present. Longer ago, a growing town was small.
    """
    if len(case.earlier) == 0:
        return None
    latest = slice(-_LOOKS, None)
    seen = case.earlier_seen[latest, None]
    looks = np.where(seen, case.earlier[latest], case.present)
    return np.concatenate([looks, case.present[None]]).astype(np.float32)


def trended(case: SeriesCase) -> Fields | None:
    """The present plus the change since an earlier date, at its pace, within 0..255.

    Of the earlier dates the one whose age is nearest to the horizon.
    """
    if len(case.earlier) == 0:
        return None
    date = int(np.argmin(np.abs(case.ago - case.years)))
    change = (case.present - case.earlier[date]) * case.earlier_seen[date]
    future = case.present + change * np.float32(case.years / case.ago[date])
    return np.asarray(future.clip(0, 255))


def _smooth(values: Fields, known: NDArray[np.bool_], width: float) -> Fields:
    """Gaussian mean of the known cells around each."""
    weight = gaussian_filter(known.astype(np.float64), width)
    total = gaussian_filter(np.where(known, values, 0.0).astype(np.float64), width)
    return np.asarray(total / np.maximum(weight, 1e-9), np.float32)
