"""Where change happens: noise that objects and neighbours share, and as much as is expected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import expit, logit, ndtr

from forecast.hindcast.quantity import with_mean
from forecast.noise import ground_noise
from preprocessing.rasters.window import Window
from preprocessing.tiles.cells import CELL

__all__ = ["allocated", "changing_at_edges", "event_levels", "object_noise", "parcels_of"]

_NUMBER = 1
"""Plane of the noise of events; the network is given plane 0."""
_SHARED, _FINE = 0.5, 0.1
"""Weights of smooth and of object noise, and of fine noise in events."""
_SMOOTH_SIGMA, _FINE_SIGMA = 3.0, 0.7
"""Standard deviations of Gaussian windows, in cells."""
_LEAST = 1e-7
_PARCEL_M2, _MOST_CELLS, _OF_REGION = 1e6, 400, 0.01
"""Area, cells and share of the region of the largest objects that change as a whole."""
_LESS_INSIDE = 1.1
"""Of the log odds of change, from one image, on calm ground far inside objects; see decision 25."""
_WITHIN = 1e-3
"""Weight of what tells cells of a parcel apart: which come first where some do not change."""


def allocated(
    probability: NDArray[np.float32],
    levels: NDArray[np.float32],
    parcels: NDArray[np.int64],
    changed: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Cells that have changed: just as many as are expected, where the odds exceed the noise most.

    Parcels change as a whole, one after another; only the last may be changed in part, and goes on
    in the next year.

    Quantity and allocation are told apart, as in land-change models (Pontius and Millones 2011).
    Cells that merely fell below their probability would be many times too many or none in a small
    region, where few objects share the noise.

    Args:
        probability: `(h, w)` that a cell has changed.
        levels: `(h, w)` from `event_levels`.
        parcels: `(h, w)` from `parcels_of`.
        changed: `(h, w)` cells that had changed before; they stay so.
        known: `(h, w)` cells that are counted; the others follow the same bound.
    """
    wanted = round(float(probability[known].sum(dtype=np.float64)))
    if wanted <= changed[known].sum():
        return changed
    odds, noise = (logit(np.clip(x, _LEAST, 1 - _LEAST)) for x in (probability, levels))
    margin = odds - noise
    whole = parcels >= 0
    if whole.any():
        labels, own = parcels[whole], margin[whole]
        mean = np.bincount(labels, weights=own) / np.maximum(np.bincount(labels), 1)
        margin[whole] = mean[labels] + _WITHIN * (own - mean[labels])
    margin = np.where(changed, np.inf, margin)
    bound = np.partition(margin[known], -wanted)[-wanted]
    return np.asarray(margin >= bound)


def parcels_of(
    objects: NDArray[np.int64], known: NDArray[np.bool_], gsd_m: float | None
) -> NDArray[np.int64]:
    """Objects of the size of fields and blocks, which change as a whole.

    Forests, deserts and seas do not; nor does anything where a parcel is smaller than a cell, or a
    large part of the region: it would change far too much or nothing.

    Args:
        objects: `(h, w)` from `region_objects`.
        known: `(h, w)` cells of the region that were seen.
        gsd_m: Metres per pixel; where it is None nothing is known to be a parcel.

    Returns:
        `(h, w)` the object, -1 where it is larger than 100 ha, 400 cells or 1 % of the region.
    """
    if gsd_m is None:
        return np.full_like(objects, -1)
    largest = min(_PARCEL_M2 / (CELL * gsd_m) ** 2, _MOST_CELLS, _OF_REGION * known.sum())
    size = np.bincount(objects.ravel())
    return np.where(size[objects] <= largest, objects, -1)


def changing_at_edges(
    probability: NDArray[np.float32], inside: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """As much change as before, less of it on calm ground far inside objects, more elsewhere.

    Args:
        probability: `(h, w)` that a cell has changed, where no earlier date is known.
        inside: `(h, w)` from `calm_inside`.
        known: `(h, w)` cells of the region that were seen.
    """
    if not known.any():
        return probability
    odds = logit(np.clip(probability, _LEAST, 1 - _LEAST)) - _LESS_INSIDE * inside
    moved = np.asarray(expit(odds), np.float32)
    return with_mean(moved, float(probability[known].mean(dtype=np.float64)), known)


def event_levels(
    objects: NDArray[np.int64], *, seed: int, member: int, number: int = _NUMBER
) -> NDArray[np.float32]:
    """Levels that the probability of change must pass.

    The normal distribution function of `object_noise`. So events have the shapes of fields, blocks
    and clearings. Where one member of a pair changes first the other changes last.

    Args:
        objects: `(h, w)` from `region_objects`.
        seed: Seed of the run.
        member: Number of the member.
        number: Plane of the noise.

    Returns:
        `(h, w)`, each value uniform over 0..1 as seeds and members vary.
    """
    noise = object_noise(
        objects, seed=seed, member=member, year=0, number=number, fine=_FINE, sigma=_FINE_SIGMA
    )
    return np.asarray(ndtr(noise), dtype=np.float32)


def object_noise(
    objects: NDArray[np.int64],
    *,
    seed: int,
    member: int,
    year: int,
    number: int,
    fine: float,
    sigma: float,
) -> NDArray[np.float32]:
    """Standard normal noise of the ground that neighbours and objects share.

    A weighted sum of smooth noise, noise that objects share, and fine noise.

    Args:
        objects: `(h, w)` from `region_objects`.
        seed: Seed of the run.
        member: Number of the member.
        year: Calendar year; 0 for what a member has the same in all years.
        number: Plane of the noise, see `ground_noise`.
        fine: Weight of the fine noise; that of the others is 0.5.
        sigma: Its Gaussian window, in cells.

    Returns:
        `(h, w)`.
    """
    height, width = objects.shape
    margin = int(4 * _SMOOTH_SIGMA)
    white = ground_noise(
        Window(-margin, -margin, height + 2 * margin, width + 2 * margin),
        seed=seed,
        member=member,
        year=year,
        number=number,
    )
    inside = (slice(margin, margin + height), slice(margin, margin + width))
    total = (
        _SHARED * _smoothed(white[0], _SMOOTH_SIGMA, margin)[inside]
        + _SHARED * white[1][inside].ravel()[objects]
        + fine * _smoothed(white[2], sigma, margin)[inside]
    )
    return np.asarray(total / np.sqrt(2 * _SHARED**2 + fine**2), dtype=np.float32)


def _smoothed(white: NDArray[np.float32], sigma: float, reach: int) -> NDArray[np.float32]:
    """Gaussian window over white noise, of unit variance again."""
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    field = white
    for axis in (0, 1):
        field = correlate1d(field, kernel, axis=axis)
    return np.asarray(field)
