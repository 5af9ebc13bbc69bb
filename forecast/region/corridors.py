"""Rivers, motorways and other long and narrow ground (corridors, Forman and Godron 1986)."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import skeletonize

from forecast.region.objects import long_objects
from forecast.region.region_conditions import region_colours
from forecast.region.windows import cut, grown, within
from preprocessing.running.disk_space import Zeros
from preprocessing.running.executor import in_threads

__all__ = ["corridors_of"]

_HALF_WIDTHS = (1.5, 2.5, 4.0, 6.5)
"""Cells from the middle of a corridor to its edge that are looked for."""
_DIRECTIONS = 12
_SIDES, _ALONG = 2.0, 1.5
"""Where colours are compared with that of a cell, in half widths: across and along."""
_ALIKE = 0.3
"""Least cosine between what both sides differ by: a step between two fields is no corridor."""
_PART, _SURE = 0.4, 1.2
"""Strength from which cells are part of a corridor, and that some of its cells have."""
_LONG = 8.0
"""Least length of a corridor over its width."""
_UNEVEN = 0.7
"""Most that ground along the middle of a corridor varies by, over its strength."""
_BLOCK, _OVERLAP = 512, 128
"""Cells along a block, and beyond it on each side."""


def corridors_of(
    objects: NDArray[np.int64],
    cells: NDArray[np.float32],
    seen: NDArray[np.bool_],
    *,
    block: int = _BLOCK,
    threads: int = 1,
    zeros: Zeros = np.zeros,
) -> NDArray[np.bool_]:
    """Find objects and ridges of colour that are long and narrow.

    A river that touches ground of its colour is no object of its own, one with sand on one side is
    no ridge.

    Colours are whitened: a river that is as bright as the fields beside it differs from them in
    what colours of the region hardly differ by else. A ridge differs alike from both its sides,
    and more than from what lies along it. Cells are joined with hysteresis (Canny 1986); those
    are corridors whose middle line is eight times as long as they are wide and hardly varies:
    ridges of mountains and rows of houses do.

    Args:
        objects: `(h, w)` from `region_objects`.
        cells: `(3, h, w)` means over cells of the start, 0..1.
        seen: `(h, w)` cells that were seen whole.
        block: Cells along a block that is looked at at once.
        threads: Widths that are looked for side by side.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)` cells of objects of up to 16 cells width, and of ridges of 3 to 13.
    """
    found = long_objects(objects, zeros=zeros)
    whitened = region_colours(cells, seen)
    height, width = seen.shape
    for core in cut(height, width, block):
        around = grown(core, _OVERLAP, height, width)
        here = seen[around.slices]
        colours = whitened.whitened(cells[(slice(None), *around.slices)])
        colours[~here] = 0
        for ridges in in_threads(partial(_ridges, colours, here), _HALF_WIDTHS, threads):
            found[core.slices] |= ridges[within(core, around).slices]
    return found


def _ridges(
    colours: NDArray[np.float32], seen: NDArray[np.bool_], half: float
) -> NDArray[np.bool_]:
    """Long and even ridges `(h, w)` of one half width, of whitened colours `(h, w, 3)`."""
    strength = _strength(colours, seen, half)
    cells = apply_hysteresis_threshold(strength, _PART, _SURE)  # type: ignore[no-untyped-call]
    middle = skeletonize(cells)  # type: ignore[no-untyped-call]
    names, count = label(cells, np.ones((3, 3)))
    of = names[middle]
    length = np.bincount(of, minlength=count + 1)
    apart = colours[middle] - _smooth(colours, half)[middle]
    uneven = np.bincount(of, (apart**2).sum(axis=-1), minlength=count + 1)
    strong = np.bincount(of, strength[middle], minlength=count + 1)
    # The root mean square of what cells differ by from those around, over the mean strength.
    even = np.sqrt(uneven * length) <= _UNEVEN * strong
    kept = even & (length >= _LONG * 2 * half)
    kept[0] = False
    return np.asarray(kept[names])


def _strength(
    colours: NDArray[np.float32], seen: NDArray[np.bool_], half: float
) -> NDArray[np.float32]:
    """What ground differs by from both sides, less what it differs by from what is along it."""
    middle = _smooth(colours, half)
    middle /= np.maximum(_smooth(seen.astype(np.float32), half), 1e-3)[..., None]
    strongest = np.zeros(seen.shape, np.float32)
    for angle in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        along = half * _ALONG * np.array([np.cos(angle), np.sin(angle)])
        across = half * _SIDES * np.array([-np.sin(angle), np.cos(angle)])
        left, right = (middle - _moved(middle, step) for step in (across, -across))
        one, other = _product(left, left), _product(right, right)
        alike = _product(left, right) > _ALIKE * np.sqrt(one * other)
        before, after = (middle - _moved(middle, step) for step in (along, -along))
        ends = np.maximum(_product(before, before), _product(after, after))
        strength = np.sqrt(np.minimum(one, other)) - np.sqrt(ends)
        np.maximum(strongest, np.where(alike, strength, 0), out=strongest)
    return strongest


def _product(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("hwc,hwc->hw", one, other), dtype=np.float32)


def _smooth(image: NDArray[np.float32], half: float) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(image, (0, 0), half / 2, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth, dtype=np.float32)


def _moved(image: NDArray[np.float32], step: NDArray[np.float64]) -> NDArray[np.float32]:
    """What lies a step `(x, y)` away from each cell."""
    shift = np.array([[1, 0, -step[0]], [0, 1, -step[1]]])
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(image, shift, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.float32)
