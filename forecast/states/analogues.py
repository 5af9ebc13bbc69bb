"""What changed ground becomes is shown by ground of the region that looks so today."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree
from scipy.special import ndtr

from forecast.noise import ground_noise
from preprocessing.cells import CELL
from preprocessing.grid import Window

__all__ = ["NO_SOURCE", "Analogues", "filled_from", "widened"]

NO_SOURCE: Final = -1
_NUMBER = 2
"""Plane of the noise of the choice; events have plane 1."""
_AROUND = 5
"""Cells along the window whose mean has to be alike too."""
_NEAREST = 6
_MOST_CELLS = 60_000
_APART = 4
"""A cell is no analogue of those fewer cells away."""
_GOING_ON = 0.35
"""How much a copy that goes on where a neighbour's came from is preferred."""
_ALIKE = 1.0
"""Largest distance of an analogue from the look that is asked for, in units of contrast."""
_STEPS = ((-1, 0), (0, -1), (-1, -1), (-1, 1), (1, 0), (0, 1), (1, 1), (1, -1))


class Analogues:
    """Finds for each changed cell a cell of the start that shows what it becomes.

    Coherent synthesis of texture (Ashikhmin 2001): candidates are the nearest in colour, of the
    cell and of the mean around it, and the continuations of what the neighbours copy.

    Args:
        cells: `(3, h, w)` of the start, 0..1.
        seen: `(h, w)` cells that may be copied.
        contrast: Of the region.
    """

    def __init__(
        self, cells: NDArray[np.float32], seen: NDArray[np.bool_], contrast: float
    ) -> None:
        self._looks = _looks(cells)
        self._seen = seen
        self._contrast = contrast

    @cached_property
    def _library(self) -> tuple[NDArray[np.int64], cKDTree]:
        known = np.flatnonzero(self._seen)
        known = known[:: -(-len(known) // _MOST_CELLS) or 1]
        return known, cKDTree(self._looks[known])

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
            look: `(3, h, w)` what ground looks like that has changed, 0..1.
            new: `(h, w)` cells that have newly changed.
            sources: `(2, h, w)` row and column that cells are copied from, `NO_SOURCE` elsewhere.
            seed: Seed of the run.
            member: Number of the member.

        Returns:
            Like `sources`. Cells whose look the region has nowhere stay without one.
        """
        found = sources.copy()
        known, tree = self._library
        asked = np.flatnonzero(new)
        if not len(known) or not len(asked):
            return found
        wanted = _looks(look)[asked]
        count = min(_NEAREST, len(known))
        far, near = tree.query(wanted, k=count, distance_upper_bound=np.inf)
        far, near = far.reshape(-1, count), known[near.reshape(-1, count)]
        height, width = new.shape
        white = ground_noise(
            Window(0, 0, height, width), seed=seed, member=member, year=0, number=_NUMBER
        )
        first = (ndtr(white[0].ravel()[asked]) * count).astype(int).clip(0, count - 1)
        alike = _ALIKE * self._contrast
        for number, cell in enumerate(asked.tolist()):
            at = divmod(cell, width)
            best, chosen = np.inf, None
            for turn in range(count):
                pick = (first[number] + turn) % count
                row, col = divmod(int(near[number, pick]), width)
                if max(abs(row - at[0]), abs(col - at[1])) >= _APART:
                    best, chosen = float(far[number, pick]), (row, col)
                    break
            for source in self._continued(found, at):
                apart = self._looks[source[0] * width + source[1]] - wanted[number]
                cost = _GOING_ON * float(np.sqrt(apart @ apart))
                if cost < best:
                    best, chosen = cost, source
            if chosen is not None and best <= alike:
                found[:, at[0], at[1]] = chosen
        return found

    def _continued(self, sources: NDArray[np.int32], at: tuple[int, int]) -> list[tuple[int, int]]:
        """What the neighbours' copies would go on with."""
        height, width = self._seen.shape
        found = []
        for down, across in _STEPS:
            row, col = at[0] + down, at[1] + across
            if not (0 <= row < height and 0 <= col < width) or sources[0, row, col] < 0:
                continue
            source = int(sources[0, row, col]) - down, int(sources[1, row, col]) - across
            if 0 <= source[0] < height and 0 <= source[1] < width and self._seen[source]:
                found.append(source)
        return found


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
    """Copy sources into a block; copies overlap by half a cell on each side and are blended.

    Args:
        image: `(3, 4 * H, 4 * W)` of the region; may be a memory map.
        block: `(3, 4 * h, 4 * w)`.
        sources: `(2, h, w)` of the cells of the block.

    Returns:
        Like `block`; cells without a source are as they were.
    """
    half = CELL // 2
    ramp = (np.arange(CELL) + 0.5) / CELL
    weight = np.outer(*[np.concatenate([ramp, ramp[::-1]])] * 2).astype(np.float32)
    total = np.zeros((3, *(size + CELL for size in block.shape[1:])), np.float32)
    weights = np.zeros(total.shape[1:], np.float32)
    side = np.arange(2 * CELL)
    limits = image.shape[1] - 1, image.shape[2] - 1
    for row in (0, 1):
        for col in (0, 1):  # Windows of every other cell do not overlap.
            rows, cols = np.nonzero(sources[0, row::2, col::2] >= 0)
            rows, cols = 2 * rows + row, 2 * cols + col
            top, left = (CELL * sources[axis, rows, cols] - half for axis in (0, 1))
            from_rows = (top[:, None] + side).clip(0, limits[0])[:, :, None]
            from_cols = (left[:, None] + side).clip(0, limits[1])[:, None, :]
            to_rows = (CELL * rows[:, None] + side)[:, :, None]
            to_cols = (CELL * cols[:, None] + side)[:, None, :]
            total[:, to_rows, to_cols] += weight * image[:, from_rows, from_cols]
            weights[to_rows, to_cols] += weight
    inside = (..., slice(half, -half), slice(half, -half))
    blended = total[inside] / np.maximum(weights[inside], 1e-6)
    copied = np.repeat(np.repeat(sources[0] >= 0, CELL, axis=0), CELL, axis=1)
    return np.asarray(np.where(copied, blended, block), dtype=np.float32)


def _looks(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours `(3, h, w)` and the means around them, a row a cell: `(h * w, 6)`."""
    around = [uniform_filter(band, _AROUND, mode="nearest") for band in cells]
    return np.ascontiguousarray(np.concatenate([cells, np.stack(around)]).reshape(6, -1).T)
