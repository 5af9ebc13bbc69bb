"""Objects seen in the start (fields, blocks, clearings), which share the noise of events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    distance_transform_edt,
    generate_binary_structure,
    maximum_filter,
    minimum_filter,
)
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.segmentation import felzenszwalb

from forecast.network.conditions import Tone
from forecast.region.windows import cut, grown, in_pixels, strips, within
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.running.disk_space import Zeros
from preprocessing.running.executor import in_threads
from preprocessing.tiles.cells import CELL

__all__ = ["calm_inside", "long_objects", "region_objects"]

_SCALE, _SIGMA, _SMALLEST = 150, 0.6, 64
"""Constants of Felzenszwalb and Huttenlocher (2004), for grey levels of 255."""
_CONTRAST = 40.0
"""Grey levels that one standard deviation of a region is stretched to."""
_BLOCK, _OVERLAP = 128, 8
"""Cells along a block (512 pixels; 330 bytes a pixel are needed), and beyond it on each side."""
_SHARED = 0.5
_THIN = 2.0
"""Cells that a thin object may be away from what it is given to."""
_EDGE, _INSIDE = 2.0, 4.0
"""Cells from the edge of an object up to which a cell is not inside, and from which it is."""
_REACH = 6
"""Rows around others that tell how far inside their cells lie."""
_ELONGATION, _HALF_WIDTH = 6.0, 8.0
"""Least length of a long object over its width, and most cells from its edge to its middle."""
_CALM, _ROUGH = 0.2, 0.4
"""Texture in units of contrast up to which ground is calm, and from which it is not."""
_BESIDE = generate_binary_structure(2, 1)


def region_objects(
    image: Parts,
    tone: Tone,
    *,
    block: int = _BLOCK,
    threads: int = 1,
    zeros: Zeros = np.zeros,
) -> NDArray[np.int64]:
    """Segment a region into objects of similar colour, block by block.

    Blocks overlap; objects of two blocks that share at least half of what the larger of them has
    in the overlap are one object, so borders of blocks leave no straight edges.

    Args:
        image: `(3, 4 * h, 4 * w)`, 0..1.
        tone: Of the region.
        block: Cells along a block.
        threads: Blocks that are segmented side by side.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)` the object that most of each cell shows, named by its first cell: `row * w + col`.
    """
    height, width = image.shape[1] // CELL, image.shape[2] // CELL
    inner = cut(height, width, block)
    outer = [grown(window, _OVERLAP, height, width) for window in inner]

    def segments(window: Window) -> NDArray[np.int64]:
        return _segments(image[(slice(None), *in_pixels(window).slices)], tone)

    labels = zeros((sum(window.height * window.width for window in outer),), np.int64)
    parts, count, end = [], 0, 0
    for window, found in zip(outer, in_threads(segments, outer, threads), strict=True):
        _, compact = np.unique(found, return_inverse=True)
        parts.append(labels[end : end + found.size].reshape(window.height, window.width))
        parts[-1][...] = compact.reshape(found.shape) + count
        count += int(compact.max()) + 1
        end += found.size
    joined = _joined(outer, parts, count, across=-(-width // block))
    objects = zeros((height, width), np.int64)
    for core, window, label in zip(inner, outer, parts, strict=True):
        objects[core.slices] = joined[label[within(core, window).slices]]
    objects = _without_thin(objects, inner, int(joined.max()) + 1, zeros)
    first = np.full(int(joined.max()) + 1, height * width)
    for rows in strips((height, width)):
        names, places = np.unique(objects[rows], return_index=True)
        first[names] = np.minimum(first[names], places + rows.start * width)
    for rows in strips((height, width)):
        objects[rows] = first[objects[rows]]
    return objects


def calm_inside(
    objects: NDArray[np.int64], texture: NDArray[np.floating], rows: slice
) -> NDArray[np.float32]:
    """Calm ground far inside objects: open water, deserts, the middle of forests.

    Args:
        objects: `(h, w)` from `region_objects`.
        texture: `(h, w)` smoothed texture in units of contrast, as the network is given it.
        rows: That are asked for.

    Returns:
        `(rows, w)` 1 where it is such ground, 0 up to two cells from the edge and on rough ground.
    """
    inside = ((_from_edge(objects, rows, _REACH) - _EDGE) / (_INSIDE - _EDGE)).clip(0, 1)
    calm = ((_ROUGH - texture[rows].astype(np.float32)) / (_ROUGH - _CALM)).clip(0, 1)
    return np.asarray(inside * calm, dtype=np.float32)


def long_objects(objects: NDArray[np.int64], *, zeros: Zeros = np.zeros) -> NDArray[np.bool_]:
    """Objects six times as long as wide and at most 16 cells wide.

    Their length is taken for their area over twice their largest distance from the edge.

    Args:
        objects: `(h, w)` from `region_objects`.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)` their cells.
    """
    area, widest = zeros((objects.size,), np.int32), zeros((objects.size,), np.float32)
    for rows in strips(objects.shape):
        labels = objects[rows].ravel()
        np.add.at(area, labels, np.ones(len(labels), np.int32))
        depth = _from_edge(objects, rows, int(_HALF_WIDTH) + 1).astype(np.float32)
        np.maximum.at(widest, labels, depth.ravel() + 0.5)
    found = zeros(objects.shape, np.bool_)
    for rows in strips(objects.shape):
        half = widest[objects[rows]]
        long = area[objects[rows]] >= _ELONGATION * (2 * half) ** 2
        found[rows] = long & (half <= _HALF_WIDTH)
    return found


def _from_edge(objects: NDArray[np.int64], rows: slice, reach: int) -> NDArray[np.float64]:
    """Cells `(rows, w)` between each cell and the edge of its object; right up to `reach`."""
    top = max(0, rows.start - reach)
    around = objects[top : rows.stop + reach]
    least, most = (
        each(around, footprint=_BESIDE, mode="nearest") for each in (minimum_filter, maximum_filter)
    )
    alike = least == most
    depth = np.full(around.shape, float(reach)) if alike.all() else distance_transform_edt(alike)
    return np.asarray(depth[rows.start - top :][: rows.stop - rows.start])


def _segments(pixels: NDArray[np.float32], tone: Tone) -> NDArray[np.int64]:
    mean = tone.mean[0].numpy()[:, None, None]
    levels = 128 + _CONTRAST * (pixels - mean) / float(tone.contrast[0])
    found = felzenszwalb(
        levels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0),
        scale=_SCALE,
        sigma=_SIGMA,
        min_size=_SMALLEST,
        channel_axis=-1,
    )
    return _most_common(found)


def _most_common(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The label that most pixels of each cell have; edges, which are ramps, then have none."""
    height, width = labels.shape[0] // CELL, labels.shape[1] // CELL
    blocks = labels.reshape(height, CELL, width, CELL).transpose(1, 3, 0, 2)
    pixels = blocks.reshape(CELL**2, height, width)
    votes = np.stack([(pixels == one).sum(axis=0) for one in pixels])
    chosen = np.take_along_axis(pixels, votes.argmax(axis=0)[None], axis=0)[0]
    return np.asarray(chosen, dtype=np.int64)


def _joined(
    windows: list[Window], labels: list[NDArray[np.int64]], count: int, *, across: int
) -> NDArray[np.int64]:
    """For each label that of the object it belongs to, after joining over overlaps.

    Windows lie `across` in a row; only those beside each other overlap.
    """
    pairs = [np.zeros((0, 2), np.int64)]
    for number, window in enumerate(windows):
        for other in (number - across - 1, number - across, number - across + 1, number - 1):
            shared = _intersection(window, windows[other]) if other >= 0 else None
            if shared is not None:
                a = labels[number][within(shared, window).slices].ravel()
                b = labels[other][within(shared, windows[other]).slices].ravel()
                both, together = np.unique(np.stack([a, b], 1), axis=0, return_counts=True)
                most = np.maximum(_size(a, both[:, 0]), _size(b, both[:, 1]))
                pairs.append(both[together >= _SHARED * most])
    edges = np.concatenate(pairs)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _without_thin(
    objects: NDArray[np.int64], blocks: list[Window], count: int, zeros: Zeros
) -> NDArray[np.int64]:
    """Give thin objects to what is beside them: edges are no ground of their own.

    An object is thin if it holds no square of 3 x 3 cells.

    Args:
        objects: `(h, w)` below `count`.
        blocks: That cover it, in which it is worked on.
        count: Of the objects.
        zeros: Makes planes.
    """
    thin = np.ones(count, bool)
    for block in blocks:
        around = grown(block, 1, *objects.shape)
        here, inside = objects[around.slices], within(block, around).slices
        solid = minimum_filter(here, 3, mode="nearest") == maximum_filter(here, 3, mode="nearest")
        thin[here[inside][solid[inside]]] = False
    if thin.all():
        return objects
    found = zeros(objects.shape, np.int64)
    for block in blocks:
        around = grown(block, int(_THIN), *objects.shape)
        here, inside = objects[around.slices], within(block, around).slices
        open_to_others = thin[here]
        if not open_to_others.all():
            far, (row, col) = distance_transform_edt(open_to_others, return_indices=True)
            here = np.where(far <= _THIN, here[row, col], here)
        found[block.slices] = here[inside]
    return found


def _size(labels: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    names, counts = np.unique(labels, return_counts=True)
    return np.asarray(counts[np.searchsorted(names, wanted)])


def _intersection(one: Window, other: Window) -> Window | None:
    top, left = max(one.row, other.row), max(one.col, other.col)
    bottom = min(one.row + one.height, other.row + other.height)
    right = min(one.col + one.width, other.col + other.width)
    return Window(top, left, bottom - top, right - left) if bottom > top and right > left else None
