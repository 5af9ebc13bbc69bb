"""What changed ground becomes is shown by ground of the region that looks so today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree
from scipy.special import ndtr

from forecast.noise import ground_noise
from forecast.states.events import event_levels
from preprocessing.rasters.window import Window
from preprocessing.tiles.cells import CELL

__all__ = ["NO_SOURCE", "Analogues", "Events", "filled_from", "looks_of", "widened"]

NO_SOURCE: Final = -1
_NUMBER = 2
"""Plane of the noise of the choice; events have plane 1."""
_AROUND = 5
"""Cells along the window whose mean has to be alike too."""
_NEAREST = 6
_LIKE = 12
"""Cells that changed before among which what ground becomes is drawn."""
_MOST_CELLS = 60_000
_APART = 4
"""A cell is no analogue of those fewer cells away."""
_GOING_ON = 0.2
"""How much a copy that goes on where a neighbour's came from is preferred."""
_ALIKE, _FARTHEST = 1.0, 3.0
"""Largest distance of ground that is like other ground, and of an analogue from the look that is
asked for, in units of contrast."""
_OVERLAP = 1
"""Pixels that copies of neighbouring cells reach into each other."""
_STEPS = ((-1, 0), (0, -1), (-1, -1), (-1, 1), (1, 0), (0, 1), (1, 1), (1, -1))


@dataclass(frozen=True)
class Events:
    """Cells that changed in a region before.

    Attributes:
        before: `(n, 6)` what each looked like, see `looks_of`.
        after: `(n, 3)` what it looks like since, 0..1.
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]

    @cached_property
    def _found(self) -> tuple[cKDTree, NDArray[np.float32], NDArray[np.float32]]:
        """A tree of looks before, looks after, and their order along the axis of most variance."""
        every = -(-len(self.before) // _MOST_CELLS)
        after = self.after[::every]
        centred = after - after.mean(axis=0)
        axis = np.linalg.svd(centred, full_matrices=False)[2][0]
        return cKDTree(self.before[::every]), after, centred @ axis

    def look(
        self, now: NDArray[np.float32], chance: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """What ground became here that looked like this.

        Args:
            now: `(m, 6)` looks before a change.
            chance: `(m,)` uniform over 0..1: which of the like cells, in the order of their looks.

        Returns:
            `(m, 3)` looks after it, and how far the nearest like cell is.
        """
        tree, after, order = self._found
        count = min(_LIKE, len(after))
        far, near = (found.reshape(-1, count) for found in tree.query(now, k=count))
        ranked = np.take_along_axis(near, order[near].argsort(axis=1), axis=1)
        picked = np.minimum((chance * count).astype(int), count - 1)
        return after[ranked[np.arange(len(now)), picked]], far[:, 0]


class Analogues:
    """Finds for each changed cell a cell of the start that shows what it becomes.

    Where the place has changed before, ground becomes what ground that looked like it became here;
    elsewhere what the model draws. The picture of it is copied from ground that looks so today, by
    coherent synthesis of texture (Ashikhmin 2001): candidates are the nearest in colour, of the
    cell and of the mean around it, and the continuations of what the neighbours copy.

    Args:
        cells: `(3, h, w)` of the start, 0..1.
        seen: `(h, w)` cells that may be copied.
        contrast: Of the region.
        objects: `(h, w)` from `region_objects`; their cells become alike.
        events: What changed here before; None where that is not known.
    """

    def __init__(
        self,
        cells: NDArray[np.float32],
        seen: NDArray[np.bool_],
        contrast: float,
        objects: NDArray[np.int64],
        events: Events | None = None,
    ) -> None:
        self._looks = looks_of(cells)
        self._seen = seen
        self._objects = objects
        self._events = events
        self._contrast = contrast

    @cached_property
    def _library(self) -> tuple[cKDTree, NDArray[np.int64]]:
        known = np.flatnonzero(self._seen)
        known = known[:: -(-len(known) // _MOST_CELLS)]
        return cKDTree(self._looks[known]), known

    def look(
        self, drawn: NDArray[np.float32], new: NDArray[np.bool_], *, seed: int, member: int
    ) -> NDArray[np.float32]:
        """What changed ground looks like: as events here, or as the model has drawn it.

        Args:
            drawn: `(3, h, w)` by the model, 0..1.
            new: `(h, w)` cells that have newly changed; others are not asked for.
            seed: Seed of the run.
            member: Number of the member.
        """
        if self._events is None or not len(self._events.before):
            return drawn
        asked = np.flatnonzero(new)
        levels = event_levels(self._objects, seed=seed, member=member, number=_NUMBER)
        became, far = self._events.look(self._looks[asked], levels.ravel()[asked])
        like = far <= _ALIKE * self._contrast
        look = drawn.reshape(3, -1).copy()
        look[:, asked[like]] = became[like].T
        return look.reshape(drawn.shape)

    def sources(
        self,
        look: NDArray[np.float32],
        new: NDArray[np.bool_],
        sources: NDArray[np.int32],
        *,
        seed: int,
        member: int,
    ) -> NDArray[np.int32]:
        """Add the sources of cells that have newly changed.

        Args:
            look: `(3, h, w)` what they look like, 0..1.
            new: `(h, w)` cells that have newly changed.
            sources: `(2, h, w)` row and column that cells are copied from, `NO_SOURCE` elsewhere.
            seed: Seed of the run.
            member: Number of the member.

        Returns:
            Like `sources`. Cells whose look the region has nowhere stay without one.
        """
        found = sources.copy()
        asked = np.flatnonzero(new)
        if not len(asked) or not self._seen.any():
            return found
        tree, known = self._library
        wanted = looks_of(look, new)[asked]
        count = min(_NEAREST, len(known))
        far, near = (x.reshape(-1, count) for x in tree.query(wanted, k=count))
        height, width = new.shape
        window = Window(0, 0, height, width)
        white = ground_noise(window, seed=seed, member=member, year=0, number=_NUMBER)
        first = np.minimum((ndtr(white[2].ravel()[asked]) * count).astype(int), count - 1)
        for number, cell in enumerate(asked.tolist()):
            at = divmod(cell, width)
            best, chosen = np.inf, None
            for turn in range(count):
                pick = (first[number] + turn) % count
                row, col = divmod(int(known[near[number, pick]]), width)
                if max(abs(row - at[0]), abs(col - at[1])) >= _APART:
                    best, chosen = float(far[number, pick]), (row, col)
                    break
            for source in self._continued(found, at):
                apart = self._looks[source[0] * width + source[1]] - wanted[number]
                cost = _GOING_ON * float(np.sqrt(apart @ apart))
                if cost < best:
                    best, chosen = cost, source
            if chosen is not None and best <= _FARTHEST * self._contrast:
                found[:, at[0], at[1]] = chosen
        return found

    def colours(self, sources: NDArray[np.int32]) -> NDArray[np.float32]:
        """Cells `(3, h, w)` that sources show; anything where there is none."""
        flat = np.maximum(sources[0] * self._seen.shape[1] + sources[1], 0)
        return np.moveaxis(self._looks[:, :3][flat], -1, 0)

    def _continued(
        self, sources: NDArray[np.int32], at: tuple[int, int]
    ) -> Iterator[tuple[int, int]]:
        """What the neighbours' copies would go on with."""
        height, width = self._seen.shape
        for down, across in _STEPS:
            row, col = at[0] + down, at[1] + across
            if not (0 <= row < height and 0 <= col < width) or sources[0, row, col] < 0:
                continue
            source = int(sources[0, row, col]) - down, int(sources[1, row, col]) - across
            inside = 0 <= source[0] < height and 0 <= source[1] < width
            if inside and self._seen[source]:
                yield source


def widened(sources: NDArray[np.int32], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Sources of the cells beside those that have one, going on with the copy.

    Args:
        sources: `(2, h, w)` of a block.
        shape: Rows and columns of the region, within which sources stay.
    """
    found = sources.copy()
    height, width = sources.shape[1:]
    padded = np.pad(sources, ((0, 0), (1, 1), (1, 1)), constant_values=NO_SOURCE)
    for down, across in _STEPS:
        beside = padded[:, 1 + down : 1 + down + height, 1 + across : 1 + across + width]
        moved = beside - np.array([down, across], np.int32)[:, None, None]
        inside = (moved >= 0).all(axis=0) & (moved[0] < shape[0]) & (moved[1] < shape[1])
        take = (found[0] < 0) & (beside[0] >= 0) & inside
        found[:, take] = moved[:, take]
    return found


def filled_from(
    image: NDArray[np.float32], block: NDArray[np.float32], sources: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Copy sources into a block; copies overlap a little and are blended there.

    Args:
        image: `(3, 4 * H, 4 * W)` of the region; may be a memory map.
        block: `(3, 4 * h, 4 * w)`.
        sources: `(2, h, w)` of the cells of the block.

    Returns:
        Like `block`; cells without a source are as they were.
    """
    ramp = (np.arange(2 * _OVERLAP) + 0.5) / (2 * _OVERLAP)
    profile = np.concatenate([ramp, np.ones(CELL - 2 * _OVERLAP), ramp[::-1]])
    weight = np.outer(profile, profile)
    total = np.zeros((3, *(size + 2 * _OVERLAP for size in block.shape[1:])))
    weights = np.zeros(total.shape[1:])
    side = np.arange(CELL + 2 * _OVERLAP)
    limits = image.shape[1] - 1, image.shape[2] - 1
    for row in (0, 1):
        for col in (0, 1):  # Windows of every other cell do not overlap.
            rows, cols = np.nonzero(sources[0, row::2, col::2] >= 0)
            rows, cols = 2 * rows + row, 2 * cols + col
            top, left = (CELL * sources[axis, rows, cols] - _OVERLAP for axis in (0, 1))
            from_rows = (top[:, None] + side).clip(0, limits[0])[:, :, None]
            from_cols = (left[:, None] + side).clip(0, limits[1])[:, None, :]
            to_rows = (CELL * rows[:, None] + side)[:, :, None]
            to_cols = (CELL * cols[:, None] + side)[:, None, :]
            total[:, to_rows, to_cols] += weight * image[:, from_rows, from_cols]
            weights[to_rows, to_cols] += weight
    inside = (..., slice(_OVERLAP, -_OVERLAP), slice(_OVERLAP, -_OVERLAP))
    blended = total[inside] / np.maximum(weights[inside], 1e-6)
    copied = np.repeat(np.repeat(sources[0] >= 0, CELL, axis=0), CELL, axis=1)
    return np.asarray(np.where(copied, blended, block), dtype=np.float32)


def looks_of(
    cells: NDArray[np.float32], among: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Colours and the means around them, a row a cell.

    Args:
        cells: `(3, h, w)`.
        among: `(h, w)` cells that the means are of. Default: all.

    Returns:
        `(h * w, 6)`.
    """
    weight = np.ones(cells.shape[1:], np.float32) if among is None else among.astype(np.float32)
    total = np.maximum(uniform_filter(weight, _AROUND, mode="nearest"), 1e-6)
    around = [uniform_filter(band * weight, _AROUND, mode="nearest") / total for band in cells]
    return np.ascontiguousarray(np.concatenate([cells, np.stack(around)]).reshape(6, -1).T)
