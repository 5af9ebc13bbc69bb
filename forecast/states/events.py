"""Where change happens: a field of uniform noise that objects and neighbours share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import ndtr

from forecast.noise import ground_noise
from preprocessing.grid import Window

__all__ = ["event_levels"]

_NUMBER = 1
"""Plane of the noise of events; the network is given plane 0."""
_WEIGHTS = {"smooth": 0.5, "object": 0.5, "fine": 0.1}
_SMOOTH, _FINE = 3.0, 0.7
"""Standard deviations of Gaussian windows, in cells."""


def event_levels(
    objects: NDArray[np.int64], *, seed: int, member: int, number: int = _NUMBER
) -> NDArray[np.float32]:
    """Levels that the probability of change must pass: a cell changes where it is above.

    The normal distribution function of a weighted sum of three standard normal fields: smooth
    noise, noise that objects share, and fine noise. So events have the shapes of fields, blocks
    and clearings, and each cell changes with just its probability.

    Args:
        objects: `(h, w)` from `region_objects`.
        seed: Seed of the run.
        member: Number of the member.
        number: Plane of the noise.

    Returns:
        `(h, w)`, each value uniform over 0..1 as seeds and members vary.
    """
    height, width = objects.shape
    margin = int(4 * _SMOOTH)
    white = ground_noise(
        Window(-margin, -margin, height + 2 * margin, width + 2 * margin),
        seed=seed,
        member=member,
        year=0,
        number=number,
    )
    inside = (slice(margin, margin + height), slice(margin, margin + width))
    shared = white[1][inside].ravel()[objects]
    scale = sum(weight**2 for weight in _WEIGHTS.values()) ** -0.5
    total = scale * (
        _WEIGHTS["smooth"] * _smoothed(white[0], _SMOOTH, margin)[inside]
        + _WEIGHTS["object"] * shared
        + _WEIGHTS["fine"] * _smoothed(white[2], _FINE, margin)[inside]
    )
    return np.asarray(ndtr(total), dtype=np.float32)


def _smoothed(white: NDArray[np.float32], sigma: float, reach: int) -> NDArray[np.float32]:
    """Gaussian window over white noise, of unit variance again."""
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    field = white
    for axis in (0, 1):
        field = correlate1d(field, kernel, axis=axis)
    return np.asarray(field)
