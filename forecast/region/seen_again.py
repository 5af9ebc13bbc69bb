"""How unchanged ground of a region will be seen: means and spreads, and draws from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from forecast.colour_noise import SOFTENED, colour_noise
from forecast.hindcast.intervals import BLOCK
from forecast.hindcast.observations import ObservationModel, regional_sizes
from forecast.hindcast.past import Past
from forecast.random_fields import regional_noise
from forecast.region.earlier import EarlierCells
from forecast.region.windows import cut, strips
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros, mapped_array
from preprocessing.running.executor import in_threads
from preprocessing.running.partial_files import partial_path

__all__ = ["SeenAgain", "write_seen_again"]

_NAMES = ("seen_mean", "seen_scale", "seen_usual", "seen_swing")
_NUMBERS = (6, 7, 8, 9)
"""Planes of the noise: one that the bands share, and one each."""
_OF_BANDS = 0.9
"""Share of the variance of the noise that the bands share, about as training places have it."""
_MOST_FOLLOWED = 0.6
"""Share of the variance of the noise that an earlier date has."""
_DATE = 32
"""Value of the regional noise that tells which date is followed; the network has the first."""
_UNUSUAL, _OF_DAY = 33, 0.7
"""Value of the regional noise that tells how unusual the day is where there is one date, and the
standard deviation of the logarithm of what that multiplies all differences by."""
_GOLDEN = (5**0.5 - 1) / 2
"""Step whose multiples fill the unit interval most evenly, however many there are."""
_LEAST_SWING = 1e-3
_OF_OBJECT, _LEAST_SCALE = 0.75, 1e-4
"""Weight of the mean of an object in the logarithm of a scale, where there is one date."""


@dataclass(frozen=True)
class SeenAgain:
    """Laplace distributions of what an observation differs by where the ground has not changed.

    Attributes:
        mean: `(y, 3, h, w)` by so many whole years, 0..1.
        scale: `(y, 3, h, w)`.
        usual: `(3, h, w)` mean difference of the earlier dates to the start.
        swing: `(3, h, w)` their standard deviation.
    """

    mean: NDArray[np.float16]
    scale: NDArray[np.float16]
    usual: NDArray[np.float16]
    swing: NDArray[np.float16]

    @classmethod
    def open(cls, folder: Path) -> SeenAgain | None:
        """Map what `write_seen_again` wrote into memory; None where it wrote nothing."""
        paths = [folder / f"{name}.npy" for name in _NAMES]
        if not all(path.exists() for path in paths):
            return None
        return cls(*(np.load(path, mmap_mode="r") for path in paths))

    @classmethod
    def of_one_date(cls, model: ObservationModel, past: Past, years: float) -> SeenAgain:
        """The same in memory, of a small region without earlier dates and for one horizon."""
        whole = Window(0, 0, *past.shape)
        mean, scale = model.of_block(past, whole, [years], regional_sizes(past, [years]))
        planes = (mean, scale, *_earlier_spread(past))
        return cls(*(plane.astype(np.float16) for plane in planes))

    def drawn(
        self,
        years: int,
        objects: NDArray[np.int64],
        earlier: EarlierCells,
        start: NDArray[np.float32],
        changed: NDArray[np.bool_],
        familiar: NDArray[np.float32],
        contrast: float,
        *,
        seed: int,
        member: int,
        year: int,
        zeros: Zeros = np.zeros,
    ) -> NDArray[np.float32]:
        """One draw, in the pattern of an earlier date where there are two.

        A Gaussian copula: objects, like colours and bands share noise; an earlier date,
        standardised cell by cell, has the more of it the more dates there are (as in the Schaake
        shuffle, Clark et al. 2004).

        Args:
            years: Horizon; the longest that was written counts for longer ones.
            objects: `(h, w)` from `region_objects`.
            earlier: Dates before the start.
            start: `(3, h, w)` cells of the start.
            changed: `(h, w)` cells that have changed: what is usual tells nothing of their mean.
            familiar: `(h, w)` from `region_familiarity`: where it is below 1, ground of one date is
                seen less surely.
            contrast: Of the region.
            seed: Of the run.
            member: Number of the member.
            year: Calendar year.
            zeros: Makes planes, on the disk where they are large.

        Returns:
            `(3, h, w)`.
        """
        count, date = len(earlier.years), None
        whose = {"seed": seed, "member": member, "year": year}
        shared, *own = (
            colour_noise(start, contrast, objects, **whose, number=number, zeros=zeros)
            for number in _NUMBERS
        )
        if count > 1:
            # Members are spread over the dates, few ones too (additive recurrence).
            chance = regional_noise(seed=seed, member=0, year=year, count=_DATE + 1)[_DATE]
            date = int(count * ((ndtr(chance) + member * _GOLDEN) % 1))
        horizon = min(years, len(self.mean)) - 1
        scale = self.scale[horizon]
        if not count:
            # Some days look nearly like the start, others differ much all over the region.
            unusual = regional_noise(**whose, count=_UNUSUAL + 1)[_UNUSUAL]
            factor = float(np.exp(_OF_DAY * unusual))
            scale = _of_objects(scale, objects, familiar, factor, zeros)
        found = zeros(start.shape, np.float32)
        for rows in strips(changed.shape):
            at = (slice(None), rows)
            bands = np.stack([noise[rows] for noise in own])
            noise = _OF_BANDS**0.5 * shared[rows] + (1 - _OF_BANDS) ** 0.5 * bands
            if date is not None:
                swing = self.swing[at]
                known = earlier.known[date][rows] & (swing.min(axis=0) > _LEAST_SWING)
                apart = np.asarray(earlier.cells[date][at], np.float32) - start[at]
                pattern = (apart - self.usual[at]) / np.maximum(swing, _LEAST_SWING)
                followed = min((count - 1) / (count + 1), _MOST_FOLLOWED)
                followed = followed**0.5 * pattern + (1 - followed) ** 0.5 * noise
                noise = np.where(known, followed, noise)
            low = 2 * np.minimum(ndtr(noise), ndtr(-noise))
            size = -np.log(np.maximum(low, 1e-6))
            around = np.sign(noise) * size * np.asarray(scale[at], np.float32)
            mean = np.asarray(self.mean[horizon][at], np.float32)
            found[at] = np.where(changed[rows], 0, mean) + around.astype(np.float32)
        return found


def _of_objects(
    scale: NDArray[np.float16],
    objects: NDArray[np.int64],
    familiar: NDArray[np.float32],
    factor: float,
    zeros: Zeros,
) -> NDArray[np.float32]:
    """Scales times a factor, each drawn towards the geometric mean of its object.

    Up to twice as large where ground is unfamiliar. Scales of objects are as likely, and edges of
    fields, which have most texture, then do not differ most.
    """
    cells, logs = zeros((objects.size,), np.int32), zeros((3, objects.size), np.float32)
    for rows in strips(objects.shape):
        labels = objects[rows].ravel()
        np.add.at(cells, labels, 1)
        for total, band in zip(logs, scale[:, rows], strict=True):
            np.add.at(total, labels, np.log(np.maximum(band, _LEAST_SCALE)).ravel())
    found = zeros(scale.shape, np.float32)
    for rows in strips(objects.shape):
        labels = objects[rows]
        common = logs[:, labels] / cells[labels]
        own = np.log(np.maximum(scale[:, rows], _LEAST_SCALE))
        found[:, rows] = _OF_OBJECT * common + (1 - _OF_OBJECT) * own
    gaussian_filter(found, (0, SOFTENED, SOFTENED), output=found)
    for rows in strips(objects.shape):
        found[:, rows] = factor * (2 - familiar[rows]) * np.exp(found[:, rows])
    return found


def write_seen_again(
    model: ObservationModel, past: Past, folder: Path, *, longest: int, threads: int = 1
) -> None:
    """Find out how a region will be seen, and write it beside its start.

    Args:
        model: Of the region.
        past: Up to its start.
        folder: To write into.
        longest: Horizon in whole years.
        threads: Blocks that are worked on side by side.
    """
    years = [float(year) for year in range(1, longest + 1)]
    sizes = regional_sizes(past, years)

    shapes = ((longest, 3), (longest, 3), (3,), (3,))
    paths = [folder / f"{name}.npy" for name in _NAMES]
    parts = [partial_path(path) for path in paths]
    mean, scale, usual, swing = planes = [
        mapped_array(part, np.float16, (*shape, *past.shape))
        for part, shape in zip(parts, shapes, strict=True)
    ]

    def write(window: Window) -> None:
        at = (..., *window.slices)
        mean[at], scale[at] = model.of_block(past, window, years, sizes)
        usual[at], swing[at] = _earlier_spread(past.block(window.slices))

    list(in_threads(write, cut(*past.shape, BLOCK), threads))
    for values, part, path in zip(planes, parts, paths, strict=True):
        values.flush()  # type: ignore[no-untyped-call]
        part.replace(path)


def _earlier_spread(here: Past) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation `(3, h, w)` of the differences of earlier dates to the last."""
    known = here.known[:-1, None] & here.known[-1]
    count = np.maximum(known.sum(axis=0), 1)
    apart = np.where(known, here.cells[:-1] - here.cells[-1:], 0)
    mean = apart.sum(axis=0) / count
    spread = np.where(known, apart - mean, 0)
    return mean, np.sqrt((spread**2).sum(axis=0) / count)
