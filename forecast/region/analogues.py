"""What changed ground becomes is shown by ground of the region that looks so today."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from forecast.hindcast.past_events import (
    FARTHEST,
    MOST_CELLS,
    SURROUNDINGS,
    Events,
    surroundings_of,
)
from forecast.region.change_allocation import event_levels
from forecast.region.windows import by_block, grown, strips
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros

__all__ = ["AROUND", "Analogues", "outcome_weights"]

_NUMBER = 2
"""Plane of the noise of the choice; events have plane 1."""
_PLACES = 24
"""Further places that a copy may come from."""
_APART = 4
"""A cell is not copied to those fewer cells away."""
_REACH, _SMALL = 2.0, 9
"""Cells over which a copy goes on beside its patch, and of patches that only do so if they can."""
_FITS = (0.7, 0.7, FARTHEST, FARTHEST)
"""Largest distance of cells copied from the first place of a patch, the second and the others."""
AROUND = 4
"""Cells around a patch within which the ground lies that it becomes."""
_POWER, _LEAST_DETAIL, _UNLIKE = 2.0, 0.1, 0.5
"""Ground beside a patch is the likelier what it becomes by this power of its detail, to which the
second is added, and the less by the exponential of its distance in colour times the third."""
_DETAILED = 1.4
"""Over the median of the region, from where on ground has much detail."""
_BANK = 2
"""Cells beside a corridor that are seen together with it."""
_SOME = 500
"""Cells of a patch, and around it, by which places are judged."""
_OF_RIM = 0.5
"""Weight of how well what lies around a place fits what lies around a patch."""
_MOVES = np.indices((5, 5)).reshape(2, -1) - 2
"""Rows and columns that a place is moved by, to fit what is around a patch."""


class Analogues:
    """Finds for changed ground the ground of the start that shows what it becomes.

    A patch, the connected part of an object that has newly changed, becomes one kind of ground.
    Where the place has changed before, that is what a cell that looked like it became, if its like
    lies beside the patch; elsewhere, and for ground of much detail, ground beside it, the likelier
    the more detail it has. So land changes at its edges, and towns grow and stay. Its picture is
    copied as a whole, from the place that has most of this kind of ground in the shape of the
    patch.

    Args:
        cells: `(3, h, w)` of the start, 0..1.
        seen: `(h, w)` cells that may be copied.
        contrast: Of the region.
        objects: `(h, w)` from `region_objects`; their cells become alike.
        corridors: `(h, w)` from `corridors_of`; nothing becomes a piece of them.
        kinds: From `kinds_of`.
        events: What changed here before; None where that is not known.
    """

    def __init__(
        self,
        cells: NDArray[np.float32],
        seen: NDArray[np.bool_],
        contrast: float,
        objects: NDArray[np.int64],
        corridors: NDArray[np.bool_],
        kinds: NDArray[np.float32],
        events: Events | None = None,
    ) -> None:
        self._cells = cells
        self._seen = seen
        self._objects = objects
        self._corridors = corridors
        self._contrast = contrast
        self._events = events if events is not None and len(events.at) else None
        self._kinds = kinds

    @cached_property
    def _library(self) -> tuple[cKDTree, NDArray[np.int64]]:
        """A tree of kinds of ground, and the cells in it."""
        every, passed, parts = -(-np.count_nonzero(self._seen) // MOST_CELLS), 0, []
        for rows in strips(self._seen.shape):
            some = np.flatnonzero(self._seen[rows])
            parts.append(some[-passed % every :: every] + rows.start * self._seen.shape[1])
            passed += len(some)
        known = np.concatenate(parts)
        return cKDTree(self._kinds[known]), known

    @cached_property
    def _median_detail(self) -> float:
        return float(np.median(self._kinds[self._library[1], 4]))

    def sources(
        self,
        new: NDArray[np.bool_],
        sources: NDArray[np.int32],
        *,
        seed: int,
        member: int,
        zeros: Zeros = np.zeros,
    ) -> NDArray[np.int32]:
        """Add the sources of cells that have newly changed.

        Args:
            new: `(h, w)` cells that have newly changed.
            sources: `(2, h, w)` row and column that cells are copied from, `NO_SOURCE` elsewhere.
            seed: Seed of the run.
            member: Number of the member.
            zeros: Makes planes, on the disk where they are large.

        Returns:
            Like `sources`. Cells whose look the region has nowhere, or beside which nothing
            was seen, stay without one.
        """
        found = zeros(sources.shape, np.int32)
        for rows in strips(new.shape):
            found[:, rows] = sources[:, rows]
        if not new.any() or not self._seen.any():
            return found
        chance = event_levels(self._objects, seed=seed, member=member, number=_NUMBER, zeros=zeros)
        cells = np.flatnonzero(new)
        parts = [self._going_on(found, part) for part in by_block(cells, new.shape)]
        for part, moved in parts:
            found.reshape(2, -1)[:, part] = moved
        cells = cells[found[0].flat[cells] < 0]
        for patch, middle in _patches(cells, self._objects):
            left = patch
            if len(patch) < _SMALL:
                part, moved = self._going_on(found, patch)
                found.reshape(2, -1)[:, part] = moved
                left = patch[found[0].flat[patch] < 0]
            if len(left):
                became = self._became(patch)
                like, weight = (became, np.ones(len(became))) if len(became) else self._beside(left)
                if len(like):
                    total = weight.cumsum()
                    first = np.searchsorted(total, chance.flat[middle] * total[-1], "right")
                    every = np.append(like[min(first, len(like) - 1)], became)
                    self._copy(found, left, middle, every)
        return found

    def colours(self, sources: NDArray[np.int32]) -> NDArray[np.float32]:
        """Colours `(3, n)` of cells by row and column `(2, n)`."""
        return np.asarray(self._cells[:, sources[0], sources[1]])

    def _going_on(
        self, found: NDArray[np.int32], patch: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cells beside copied ones go on with the copy, as far as it shows the same.

        Returns:
            Cells of the patch that do, and their sources `(2, n)`.
        """
        box = self._box(patch, int(_REACH))
        free = found[0][box.slices] < 0
        if free.all():
            return patch[:0], np.zeros((2, 0), np.int64)
        far, nearest = distance_transform_edt(free, return_indices=True)
        origin = np.array([[box.row], [box.col]])
        here = self._places(patch)
        inside = tuple(here - origin)
        near = far[inside] <= _REACH
        patch, here = patch[near], here[:, near]
        copied = nearest[(slice(None), *inside)][:, near] + origin
        beside = found[:, copied[0], copied[1]]
        moved = beside + here - copied
        wanted = self._kinds[np.ravel_multi_index(tuple(beside), self._seen.shape)]
        good = self._distance(moved, wanted) <= _FITS[0]
        return patch[good], moved[:, good]

    def _became(self, patch: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cells that looked like a patch before they changed; none where that is not known.

        Only those that show ground which lies beside the patch. Of earlier dates only cells are
        kept, so ground of much detail, as towns are, is not recognised in them.
        """
        detail = self._kinds[patch, 4].mean()
        if self._events is None or detail > _DETAILED * self._median_detail:
            return np.zeros(0, np.int64)
        like = self._no_corridor(self._events.like(self._surroundings(patch)))
        around = self._around(patch)
        if not len(like) or not len(around):
            return like
        far, _ = cKDTree(self._kinds[around]).query(self._kinds[like])
        return np.asarray(like[far <= _FITS[0]])

    def _no_corridor(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cells that show no corridor: a piece of a river or a motorway is none."""
        row, col = self._places(cells)
        height, width = self._seen.shape
        free = np.ones(len(cells), bool)
        for down, across in itertools.product(range(-_BANK, _BANK + 1), repeat=2):
            near = (row + down).clip(0, height - 1), (col + across).clip(0, width - 1)
            free &= ~self._corridors[near]
        return cells[free]

    def _around(self, patch: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cells near a patch that were seen."""
        box = self._box(patch, AROUND)
        row, col = np.nonzero(self._seen[box.slices])
        return np.asarray((row + box.row) * self._seen.shape[1] + col + box.col)

    def _beside(self, patch: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Cells near a patch, the plainest first, and how likely it becomes what each shows."""
        around = self._no_corridor(self._around(patch))
        around = around[np.argsort(self._kinds[around, 4], kind="stable")]
        return around, outcome_weights(self._kinds[around], self._kinds[patch].mean(axis=0))

    def _surroundings(self, patch: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean of a patch."""
        box = self._box(patch, SURROUNDINGS // 2)
        cells = np.asarray(self._cells[(slice(None), *box.slices)])
        row, col = self._places(patch) - np.array([[box.row], [box.col]])
        found = surroundings_of(cells, self._contrast)[row * box.width + col]
        return np.asarray(found.mean(axis=0))

    def _copy(
        self,
        found: NDArray[np.int32],
        patch: NDArray[np.int64],
        middle: int,
        places: NDArray[np.int64],
    ) -> None:
        """Copy a patch from where it is such ground and fits in best; the rest from elsewhere."""
        tree, known = self._library
        wanted = self._kinds[places[0]]
        near = tree.query(wanted, k=range(1, 1 + min(_PLACES, len(known))))[1]
        places = np.concatenate([places, known[near]])
        for fits in _FITS:
            steps = self._places(places) - self._places(np.array([middle]))
            steps = np.unique((steps[:, :, None] + _MOVES[:, None]).reshape(2, -1), axis=1)
            steps = steps[:, np.abs(steps).max(axis=0) >= _APART]
            if not len(patch) or not steps.shape[1]:
                return
            some = self._places(patch[:: -(-len(patch) // _SOME)])
            rim, shown = self._rim(found, patch)
            far = self._distance(some[:, None, :] + steps[:, :, None], wanted)
            cost = np.minimum(far, FARTHEST).mean(axis=1)
            if rim.shape[1]:
                apart = self._unlike(rim[:, None, :] + steps[:, :, None], shown)
                cost += _OF_RIM * np.minimum(apart, FARTHEST).mean(axis=1)
            best = cost.argmin()
            moved = self._places(patch) + steps[:, best, None]
            good = self._distance(moved, wanted) <= fits
            found.reshape(2, -1)[:, patch[good]] = moved[:, good]
            patch = patch[~good]
            middle = int(patch[len(patch) // 2]) if len(patch) else middle

    def _rim(
        self, found: NDArray[np.int32], patch: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Cells `(2, n)` right beside a patch, some of them, and the colours `(3, n)` they show."""
        box = self._box(patch, 1)
        inside = np.zeros((box.height, box.width), bool)
        inside[tuple(self._places(patch) - np.array([[box.row], [box.col]]))] = True
        rim = binary_dilation(inside, np.ones((3, 3), bool)) & ~inside & self._seen[box.slices]
        cells = np.stack(np.nonzero(rim)) + np.array([[box.row], [box.col]])
        cells = cells[:, :: -(-max(1, cells.shape[1]) // _SOME)]
        source = found[:, cells[0], cells[1]]
        return cells, self.colours(np.where(source >= 0, source, cells))

    def _places(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows and columns `(2, n)` of flat indices."""
        return np.stack(np.unravel_index(cells, self._seen.shape))

    def _box(self, patch: NDArray[np.int64], margin: int) -> Window:
        """What holds a patch and so many cells around it."""
        row, col = self._places(patch)
        top, left = int(row.min()), int(col.min())
        held = Window(top, left, int(row.max()) - top + 1, int(col.max()) - left + 1)
        return grown(held, margin, *self._seen.shape)

    def _distance(
        self, cells: NDArray[np.int64], wanted: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Of cells `(2, ...)` from a kind of ground; infinite where there is nothing to copy."""
        row, col, inside = self._inside(cells)
        inside &= ~self._corridors[row, col]
        apart = np.linalg.norm(self._kinds[row * self._seen.shape[1] + col] - wanted, axis=-1)
        return np.asarray(np.where(inside, apart, np.inf), dtype=np.float32)

    def _unlike(self, cells: NDArray[np.int64], shown: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the colours of cells `(2, m, n)` from others `(3, n)`; infinite where not seen."""
        row, col, inside = self._inside(cells)
        apart = np.linalg.norm(self._cells[:, row, col] - shown[:, None], axis=0) / self._contrast
        return np.asarray(np.where(inside, apart, np.inf), dtype=np.float32)

    def _inside(
        self, cells: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Rows and columns of cells, the nearest beyond the region, and which were seen."""
        height, width = self._seen.shape
        row, col = cells[0].clip(0, height - 1), cells[1].clip(0, width - 1)
        return row, col, (row == cells[0]) & (col == cells[1]) & self._seen[row, col]


def outcome_weights(kinds: NDArray[np.float32], own: NDArray[np.float32]) -> NDArray[np.float32]:
    """How likely ground becomes what lies beside it: what has detail, and what is like it.

    Args:
        kinds: `(n, 5)` kinds of ground beside a patch, from `kinds_of`.
        own: `(5,)` mean kind of the patch.

    Returns:
        `(n,)`, not scaled.
    """
    far = np.linalg.norm(kinds[:, :3] - own[:3], axis=-1)
    detail = (kinds[:, 4] + _LEAST_DETAIL) ** _POWER
    return np.asarray(detail * np.exp(-_UNLIKE * far))


def _patches(
    cells: NDArray[np.int64], objects: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Connected cells of one object, the largest first, as flat indices; and their middle.

    Args:
        cells: `(n,)` ascending flat indices.
        objects: `(h, w)`.
    """
    if not len(cells):
        return
    width = objects.shape[1]
    whose = objects.reshape(-1)[cells]
    pairs = []
    for step in (1, width):
        beside = np.searchsorted(cells, cells + step).clip(max=len(cells) - 1)
        joined = (cells[beside] == cells + step) & (whose[beside] == whose)
        joined &= (step == width) | (cells % width < width - 1)
        pairs.append(np.stack([np.flatnonzero(joined), beside[joined]]))
    first, second = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=2 * (len(cells),))
    part = connected_components(graph, directed=False)[1]
    order = np.argsort(part, kind="stable")
    patches = np.split(cells[order], np.flatnonzero(np.diff(part[order])) + 1)
    for patch in sorted(patches, key=lambda patch: -len(patch)):
        row, col = np.unravel_index(patch, objects.shape)
        row, col = row - row.min() + 1, col - col.min() + 1
        image = np.zeros((row.max() + 2, col.max() + 2), bool)
        image[row, col] = True
        depth = distance_transform_edt(image)[row, col]
        yield patch, int(patch[depth.argmax()])
