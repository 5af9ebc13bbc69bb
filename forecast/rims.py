"""Rims between objects: pixels that mix the colours of both sides belong to one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

__all__ = ["dissolve_rims"]

_LARGEST_RESIDUAL = 0.04
_REACHES = (2, 3)
_SMALLEST_PIECE = 6
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
_SQUARE = np.ones((3, 3), dtype=bool)


def dissolve_rims(labels: NDArray[np.int64], image: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give mixed pixels between two objects to the one they look more like.

    Seen finely enough, an edge is a ramp of one or two pixels, which a segmentation takes for an
    object of its own: it would keep its colour where the objects on both sides change. A pixel of
    a thin object is mixed if its colour lies between those of the pixels on its two sides, 2 or 3
    pixels away in some direction. Roads and hedges have a colour of their own and stay. Pieces of
    less than 6 pixels that are left of a thin object go to the nearest other one.

    Args:
        labels: `(h, w)` segmentation.
        image: `(h, w, c)` the picture, 0..1.

    Returns:
        `(h, w)`: labels without the rims.
    """
    solid = _solid(labels)
    best = np.full(labels.shape, _LARGEST_RESIDUAL)
    result = labels.copy()
    for reach in _REACHES:
        for dy, dx in _DIRECTIONS:
            here, back = (dy * reach, dx * reach), (-dy * reach, -dx * reach)
            a, b = _shifted(image, here), _shifted(image, back)
            span = b - a
            length = (span**2).sum(axis=-1)
            share = ((image - a) * span).sum(axis=-1) / np.maximum(length, 1e-9)
            share = np.clip(share, 0.0, 1.0)
            residual = np.sqrt(((a + share[..., None] * span - image) ** 2).sum(axis=-1))
            mixed = ~solid & _shifted(solid, here) & _shifted(solid, back) & (residual < best)
            nearer = np.where(share < 0.5, _shifted(labels, here), _shifted(labels, back))
            result[mixed] = nearer[mixed]
            best[mixed] = residual[mixed]
    return _without_crumbs(result)


def _without_crumbs(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the few pixels that are left of an object here and there to the nearest one."""
    pieces = measure.label(labels, background=-1, connectivity=1)  # type: ignore[no-untyped-call]
    crumbs = np.bincount(pieces.ravel())[pieces] < _SMALLEST_PIECE
    if crumbs.all():
        return labels
    nearest = ndimage.distance_transform_edt(crumbs, return_distances=False, return_indices=True)
    return np.asarray(labels[tuple(nearest)])


def _solid(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pixels of the morphological opening of their object by a 3 x 3 square."""
    low = ndimage.minimum_filter(labels, 3, mode="nearest")
    core = low == ndimage.maximum_filter(labels, 3, mode="nearest")
    # A core belongs to one object, so whatever it reaches within a pixel is the same object.
    return np.asarray(ndimage.binary_dilation(core, _SQUARE), dtype=bool)


def _shifted(values: NDArray[Any], offset: tuple[int, int]) -> NDArray[Any]:
    """`values[y + dy, x + dx]`, edges repeated."""
    height, width = values.shape[:2]
    rows = np.clip(np.arange(height) + offset[0], 0, height - 1)
    cols = np.clip(np.arange(width) + offset[1], 0, width - 1)
    return values[rows[:, None], cols[None, :]]
