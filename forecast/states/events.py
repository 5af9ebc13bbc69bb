"""Where change happens: noise that objects and neighbours share, and as much as is expected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import logit, ndtr

from forecast.noise import ground_noise
from preprocessing.rasters.window import Window

__all__ = ["allocated", "event_levels", "object_noise"]

_NUMBER = 1
"""Plane of the noise of events; the network is given plane 0."""
_SHARED, _FINE = 0.5, 0.1
"""Weights of smooth and of object noise, and of fine noise in events."""
_SMOOTH_SIGMA, _FINE_SIGMA = 3.0, 0.7
"""Standard deviations of Gaussian windows, in cells."""
_LEAST = 1e-7


def allocated(
    probability: NDArray[np.float32],
    levels: NDArray[np.float32],
    changed: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Cells that have changed: just as many as are expected, where the odds exceed the noise most.

    Quantity and allocation are told apart, as in land-change models (Pontius and Millones 2011).
    Cells that merely fell below their probability would be many times too many or none in a small
    region, where few objects share the noise.

    Args:
        probability: `(h, w)` that a cell has changed.
        levels: `(h, w)` from `event_levels`.
        changed: `(h, w)` cells that had changed before; they stay so.
        known: `(h, w)` cells that are counted; the others follow the same bound.
    """
    wanted = round(float(probability[known].sum(dtype=np.float64)))
    if wanted <= changed[known].sum():
        return changed
    odds, noise = (logit(np.clip(x, _LEAST, 1 - _LEAST)) for x in (probability, levels))
    margin = np.where(changed, np.inf, odds - noise)
    bound = np.partition(margin[known], -wanted)[-wanted]
    return np.asarray(margin >= bound)


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
