"""Where change happens: noise that objects and neighbours share, and as much as is expected."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import expit, logit, ndtr

from forecast.hindcast.quantity import with_mean
from forecast.random_fields import ground_noise
from forecast.region.region_conditions import PastChange
from forecast.region.windows import strips
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros
from preprocessing.tiles.cells import CELL

__all__ = [
    "allocated",
    "event_levels",
    "keep_corridors",
    "parcels_of",
    "reallocated",
]

_NUMBER = 1
"""Plane of the noise of events; the network is given plane 0."""
_SHARED, _FINE = 0.5, 0.1
"""Weights of smooth and of object noise, and of fine noise in events."""
_SMOOTH_SIGMA, _FINE_SIGMA = 3.0, 0.7
"""Standard deviations of Gaussian windows, in cells."""
_LEAST = 1e-7
_PARCEL_M2, _MOST_CELLS, _OF_REGION = 1e6, 400, 0.01
"""Area, cells and share of the region of the largest objects that change as a whole."""
_WITHIN = 1e-3
"""Weight of what tells cells of a parcel apart: which come first where some do not change."""


def allocated(
    probability: NDArray[np.float32],
    levels: NDArray[np.float32],
    parcels: NDArray[np.int64],
    changed: NDArray[np.bool_],
    known: NDArray[np.bool_],
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.bool_]:
    """Cells that have changed: just as many as are expected, where the odds exceed the noise most.

    Parcels change as a whole, one after another; only the last may be changed in part, and goes on
    in the next year.

    Quantity and allocation are told apart, as in land-change models (Pontius and Millones 2011).
    Cells that merely fell below their probability would be many times too many or none in a small
    region, where few objects share the noise.

    Args:
        probability: `(h, w)` that a cell has changed.
        levels: `(h, w)` from `event_levels`. Ground of level 1 is not counted, and changes last.
        parcels: `(h, w)` from `parcels_of`.
        changed: `(h, w)` cells that had changed before; they stay so.
        known: `(h, w)` cells that are counted; the others follow the same bound.
        zeros: Makes planes, on the disk where they are large.
    """
    wanted = round(_total(probability, known, levels))
    if wanted <= sum(np.count_nonzero(changed[r] & known[r]) for r in strips(changed.shape)):
        return changed
    margin = _margins(probability, levels, parcels, zeros)
    for rows in strips(margin.shape):
        margin[rows][changed[rows]] = np.inf
    bound = _largest(margin, known, wanted)
    found = zeros(margin.shape, np.bool_)
    for rows in strips(margin.shape):
        found[rows] = margin[rows] >= bound
    return found


def _total(
    values: NDArray[np.float32], known: NDArray[np.bool_], levels: NDArray[np.float32]
) -> float:
    parts = [
        values[rows][known[rows] & (levels[rows] < 1)].sum(dtype=np.float64)
        for rows in strips(values.shape)
    ]
    return float(sum(parts))


def _margins(
    probability: NDArray[np.float32],
    levels: NDArray[np.float32],
    parcels: NDArray[np.int64],
    zeros: Zeros,
) -> NDArray[np.float32]:
    """What the log odds exceed the noise by; of cells of a parcel nearly the mean of it."""
    margin = zeros(probability.shape, np.float32)
    total, count = (zeros((margin.size,), np.float64) for _ in range(2))
    for rows in strips(margin.shape):
        odds, noise = (logit(np.clip(x[rows], _LEAST, 1 - _LEAST)) for x in (probability, levels))
        margin[rows] = odds - noise
        whole = parcels[rows] >= 0
        labels = parcels[rows][whole]
        np.add.at(total, labels, margin[rows][whole].astype(np.float64))
        np.add.at(count, labels, np.ones(len(labels)))
    for rows in strips(margin.shape):
        whole = parcels[rows] >= 0
        labels, own = parcels[rows][whole], margin[rows][whole]
        mean = total[labels] / np.maximum(count[labels], 1)
        margin[rows][whole] = mean + _WITHIN * (own - mean)
    return margin


def _largest(values: NDArray[np.float32], known: NDArray[np.bool_], rank: int) -> np.float32:
    """The known value that so many are at least, itself among them.

    Found by counts of the upper and then of the lower half of the bits, which order numbers as
    their values do if those of negative ones are turned.
    """
    chosen = 0
    for half in (16, 0):
        counts = np.zeros(2**16, np.int64)
        for rows in strips(values.shape):
            bits = values[rows][known[rows]].view(np.uint32)
            keys = np.where(bits >> 31, ~bits, bits | np.uint32(2**31))
            if half == 0:
                keys = keys[keys >> 16 == chosen >> 16]
            counts += np.bincount(keys >> half & 0xFFFF, minlength=2**16)
        above = counts[::-1].cumsum()
        place = int(np.searchsorted(above, rank))
        rank -= int(above[place - 1]) if place else 0
        chosen |= 2**16 - 1 - place << half
    key = np.uint32(chosen)
    return (key ^ np.uint32(2**31) if key >> 31 else ~key).view(np.float32)


def parcels_of(
    objects: NDArray[np.int64],
    known: NDArray[np.bool_],
    gsd_m: float | None,
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.int64]:
    """Objects of the size of fields and blocks, which change as a whole.

    Forests, deserts and seas do not; nor does anything where a parcel is smaller than a cell, or a
    large part of the region: it would change far too much or nothing.

    Args:
        objects: `(h, w)` from `region_objects`.
        known: `(h, w)` cells of the region that were seen.
        gsd_m: Metres per pixel; where it is None nothing is known to be a parcel.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)` the object, -1 where it is larger than 100 ha, 400 cells or 1 % of the region.
    """
    parcels, largest = zeros(objects.shape, np.int64), 0.0
    if gsd_m is not None:
        seen = sum(np.count_nonzero(known[rows]) for rows in strips(known.shape))
        largest = min(_PARCEL_M2 / (CELL * gsd_m) ** 2, _MOST_CELLS, _OF_REGION * seen)
    size = zeros((objects.size,), np.int32)
    for rows in strips(objects.shape):
        labels = objects[rows].ravel()
        np.add.at(size, labels, np.ones(len(labels), np.int32))
    for rows in strips(objects.shape):
        parcels[rows] = np.where(size[objects[rows]] <= largest, objects[rows], -1)
    return parcels


def reallocated(
    probability: NDArray[np.float32],
    past: PastChange,
    gain: Callable[[slice], NDArray[np.float32]],
    known: NDArray[np.bool_],
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.float32]:
    """As much change as without what past change tells, more of it where log odds gain.

    Past change tells where ground changes, hardly how much of it: decision 27.

    Args:
        probability: `(h, w)` that a cell has changed, by rules that know past change.
        past: What they know of it.
        gain: Gives what log odds of rows gain.
        known: `(h, w)` cells of the region that were seen.
        zeros: Makes planes, on the disk where they are large.
    """
    moved = zeros(probability.shape, np.float32)
    total, count = 0.0, 0
    for rows in strips(moved.shape):
        told = past.odds(rows)
        odds = logit(np.clip(probability[rows], _LEAST, 1 - _LEAST)) - told
        total += float(expit(odds[known[rows]]).sum(dtype=np.float64))
        count += int(np.count_nonzero(known[rows]))
        moved[rows] = expit(odds + past.filled(told, rows) + gain(rows))
    expected = total / max(count, 1)
    if not 0 < expected < 1:
        return probability
    return with_mean(moved, expected, known, zeros=zeros)


def event_levels(
    objects: NDArray[np.int64],
    *,
    seed: int,
    member: int,
    number: int = _NUMBER,
    zeros: Zeros = np.zeros,
) -> NDArray[np.float32]:
    """Levels that the probability of change must pass.

    The normal distribution function of a weighted sum of smooth noise, noise that objects share and
    fine noise. So events have the shapes of fields, blocks and clearings. Where one member of a
    pair changes first the other changes last.

    Args:
        objects: `(h, w)` from `region_objects`.
        seed: Seed of the run.
        member: Number of the member.
        number: Plane of the noise.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)`, each value uniform over 0..1 as seeds and members vary.
    """
    width, margin = objects.shape[1], int(4 * _SMOOTH_SIGMA)
    whose = {"seed": seed, "member": member, "year": 0, "number": number}
    shared, levels = (zeros(objects.shape, np.float32) for _ in range(2))
    for rows in strips(objects.shape):
        window = Window(rows.start, 0, rows.stop - rows.start, width)
        shared[rows] = ground_noise(window, **whose)[1]
    for rows in strips(objects.shape):
        height = rows.stop - rows.start
        around = Window(rows.start - margin, -margin, height + 2 * margin, width + 2 * margin)
        white = ground_noise(around, **whose)
        inside = (slice(margin, margin + height), slice(margin, margin + width))
        noise = (
            _SHARED * _smoothed(white[0], _SMOOTH_SIGMA, margin)[inside]
            + _SHARED * shared.reshape(-1)[objects[rows]]
            + _FINE * _smoothed(white[2], _FINE_SIGMA, margin)[inside]
        )
        levels[rows] = noise / np.sqrt(2 * _SHARED**2 + _FINE**2)
        levels[rows] = ndtr(levels[rows])
    return levels


def keep_corridors(levels: NDArray[np.float32], corridors: NDArray[np.bool_]) -> None:
    """Let rivers and motorways stay: what is cut in two is none.

    How likely they are to change is told all the same; no other ground changes in their place.

    Args:
        levels: `(h, w)` from `event_levels`, changed in place.
        corridors: `(h, w)` from `corridors_of`.
    """
    for rows in strips(levels.shape):
        levels[rows][corridors[rows]] = 1


def _smoothed(white: NDArray[np.float32], sigma: float, reach: int) -> NDArray[np.float32]:
    """Gaussian window over white noise, of unit variance again."""
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    field = white
    for axis in (0, 1):
        field = correlate1d(field, kernel, axis=axis)
    return np.asarray(field)
