"""Noise that objects and like colours share: how the light and the season of another day act."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from forecast.random_fields import ground_noise, regional_noise
from forecast.region.windows import strips
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros

__all__ = ["SOFTENED", "colour_noise"]

_OF_OBJECTS, _OF_REGION = 0.3, 0.2
"""Shares of the variance that objects have, and colours all over the region; they have the rest
from place to place."""
_FEATURES, _LENGTH = 6, 1.0
"""Waves of colour, and the distance in units of contrast over which noise forgets a colour."""
_STEP, _SIGMA, _MARGIN = 8, 1.25, 6
"""Cells between the points that noise of places is drawn at; its Gaussian window and points
beyond the region, in these steps."""
SOFTENED = 0.6
"""Gaussian window over the edges of objects, in cells."""
_FIRST = 64
"""First value of the regional noise that is used; those before are others'."""


def colour_noise(
    cells: NDArray[np.float32],
    contrast: float,
    objects: NDArray[np.int64],
    *,
    seed: int,
    member: int,
    year: int,
    number: int,
    zeros: Zeros = np.zeros,
) -> NDArray[np.float32]:
    """Standard normal noise that changes with object and colour, and slowly over the ground.

    Of objects, and a Gaussian process whose kernel is one of colour times one of place, by random
    Fourier features (Rahimi and Recht 2007). Water and fields have a difference in common, texture
    gets another contrast and hue; there is no grain.

    Args:
        cells: `(3, h, w)` whose colours count.
        contrast: Of the region.
        objects: `(h, w)` from `region_objects`.
        seed: Seed of the run.
        member: Number of the member.
        year: Calendar year.
        number: Plane of the noise, see `ground_noise`.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)`, standardised over the region: pictures are compared with matched histograms, and
        a sea that fills half of a region would else have most of the noise or none.
    """
    width = objects.shape[1]
    whose = {"seed": seed, "member": member, "year": year}
    count, first = 2 * _FEATURES, _FIRST + 2 * _FEATURES * number
    waves = np.random.default_rng(number).standard_normal((_FEATURES, 3)) / (_LENGTH * contrast)
    points = (size // _STEP + 2 + 2 * _MARGIN for size in objects.shape)
    local = ground_noise(
        Window(-_MARGIN, -_MARGIN, *points), channels=count, number=number, **whose
    )
    local = gaussian_filter(local, (0, _SIGMA, _SIGMA)) * (2 * _SIGMA * np.pi**0.5)
    common = regional_noise(count=first + count, **whose)[first:]
    weights = _OF_REGION**0.5 * common[:, None, None]
    weights = weights + (1 - _OF_OBJECTS - _OF_REGION) ** 0.5 * local
    shared, noise = (zeros(objects.shape, np.float32) for _ in range(2))
    for rows in strips(objects.shape):
        window = Window(rows.start, 0, rows.stop - rows.start, width)
        shared[rows] = ground_noise(window, number=number, **whose)[0]
    for rows in strips(objects.shape):
        axes = (np.arange(rows.start, rows.stop), np.arange(width))
        at = np.stack(np.meshgrid(*axes, indexing="ij")) / _STEP + _MARGIN
        phases = np.einsum("kc,chw->khw", waves, cells[:, rows])
        parts = np.concatenate([np.cos(phases), np.sin(phases)]) / _FEATURES**0.5
        noise[rows] = _OF_OBJECTS**0.5 * shared.reshape(-1)[objects[rows]]
        for part, weight in zip(parts, weights, strict=True):
            noise[rows] += part * map_coordinates(weight, at, order=3, mode="nearest")
    gaussian_filter(noise, SOFTENED, output=noise)
    total, squares = 0.0, 0.0
    for rows in strips(objects.shape):
        total += float(noise[rows].sum(dtype=np.float64))
        squares += float((noise[rows].astype(np.float64) ** 2).sum())
    mean = total / noise.size
    spread = max(squares / noise.size - mean**2, 1e-6) ** 0.5
    for rows in strips(objects.shape):
        noise[rows] = (noise[rows] - mean) / spread
    return noise
