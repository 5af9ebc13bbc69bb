"""What has changed in a member so far, on the grid of cells."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from forecast.region.analogues import Analogues
from forecast.region.change_allocation import allocated
from forecast.region.copies import NO_SOURCE
from forecast.region.windows import cut, strips
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Difference, Parts
from preprocessing.running.disk_space import Zeros
from preprocessing.running.partial_files import partial_path

__all__ = ["Changes", "SavedChanges"]

_CHUNK = 256


@dataclass(frozen=True)
class Changes:
    """State of a member after some years; ground that has changed keeps its look.

    Attributes:
        changed: `(h, w)` bool.
        colours: `(3, h, w)` float32, 0..1: the start, and where it has changed its look since.
        sources: `(2, h, w)` int32 row and column of the cell of the start that shows what changed
            ground now looks like, see `Analogues`.
        settled: `(h, w)` float32, accumulated probability of change of the legs before this one.
        leg: `(h, w)` float32, likewise of this leg: the greatest of its years.
    """

    changed: NDArray[np.bool_]
    colours: NDArray[np.float32]
    sources: NDArray[np.int32]
    settled: NDArray[np.float32]
    leg: NDArray[np.float32]

    @classmethod
    def none(cls, cells: NDArray[np.float32], *, zeros: Zeros = np.zeros) -> Changes:
        """The start `(3, h, w)`."""
        shape = cells.shape[1:]
        sources = zeros((2, *shape), np.int32)
        sources[...] = NO_SOURCE
        settled, leg = (zeros(shape, np.float32) for _ in range(2))
        return cls(zeros(shape, np.bool_), cells, sources, settled, leg)

    def probability(self, *, zeros: Zeros = np.zeros) -> NDArray[np.float32]:
        """`(h, w)` probability that the ground has changed by now; never falls with the years."""
        return _accumulated(self.settled, self.leg, zeros)

    def next_leg(self, *, zeros: Zeros = np.zeros) -> Changes:
        """A further leg starts from here: probabilities accumulate."""
        nothing = zeros(self.leg.shape, np.float32)
        return replace(self, settled=self.probability(zeros=zeros), leg=nothing)

    def after(
        self,
        probability: NDArray[np.float32],
        look: Callable[[NDArray[np.bool_]], NDArray[np.float32]],
        levels: NDArray[np.float32],
        parcels: NDArray[np.int64],
        analogues: Analogues,
        *,
        seen: NDArray[np.bool_],
        seed: int,
        member: int,
        zeros: Zeros = np.zeros,
    ) -> Changes:
        """A year later: as many cells as the accumulated probability tells have changed.

        Args:
            probability: `(h, w)` of change since the leg began, by this year.
            look: Gives for cells `(h, w)` that are asked for the difference `(3, h, w)` to the
                colours that change makes.
            levels: `(h, w)` from `event_levels`, the same in all years.
            parcels: `(h, w)` from `parcels_of`.
            analogues: Of the region.
            seen: `(h, w)` cells of the region that were seen.
            seed: Seed of the run.
            member: Number of the member.
            zeros: Makes planes, on the disk where they are large.
        """
        leg = zeros(self.leg.shape, np.float32)
        for rows in strips(leg.shape):
            leg[rows] = np.maximum(self.leg[rows], probability[rows])
        later = replace(self, leg=leg)
        chance = later.probability(zeros=zeros)
        changed = allocated(chance, levels, parcels, self.changed, seen, zeros=zeros)
        new = zeros(changed.shape, np.bool_)
        for rows in strips(new.shape):
            new[rows] = changed[rows] & ~self.changed[rows]

        sources = analogues.sources(new, self.sources, seed=seed, member=member, zeros=zeros)
        colours = zeros(self.colours.shape, np.float32)
        for band, before in zip(colours, self.colours, strict=True):
            for rows in strips(band.shape):
                band[rows] = before[rows]
        cells = np.flatnonzero(new)
        source = sources.reshape(2, -1)[:, cells]
        copied = source[0] >= 0
        flat = colours.reshape(3, -1)
        flat[:, cells[copied]] = analogues.colours(source[:, copied])
        new.reshape(-1)[cells[copied]] = False
        if new.any():
            cells = cells[~copied]
            before = self.colours.reshape(3, -1)[:, cells]
            # Forecasts stay within the stated range; values that were outside it may stay there.
            low, high = np.minimum(before, 0), np.maximum(before, 1)
            flat[:, cells] = np.clip(before + look(new).reshape(3, -1)[:, cells], low, high)
        return replace(later, changed=changed, colours=colours, sources=sources)

    def save(self, folder: Path, cells: NDArray[np.float32]) -> None:
        """Write into a folder of its own, in one move.

        Args:
            folder: See `SavedChanges`.
            cells: `(3, h, w)` of the start.
        """
        part = partial_path(folder)
        part.mkdir()
        for name, base in _bases(cells).items():
            array, values = Difference.create(part / name, base, _CHUNK), getattr(self, name)
            for window in cut(base.shape[-2], base.shape[-1], _CHUNK):
                array[(..., *window.slices)] = values[(..., *window.slices)]
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(part, folder)


class SavedChanges:
    """What has changed by a year, as `Changes.save` wrote it: as what differs from the start.

    Args:
        folder: Of the year.
        cells: `(3, h, w)` of the start.
    """

    def __init__(self, folder: Path, cells: NDArray[np.float32]) -> None:
        bases = _bases(cells).items()
        self._arrays = {name: Difference(folder / name, base) for name, base in bases}

    def part(self, window: Window) -> Changes:
        """Those of some cells."""
        planes = {name: array[(..., *window.slices)] for name, array in self._arrays.items()}
        return Changes(**planes)

    def whole(self, *, zeros: Zeros = np.zeros) -> Changes:
        """All of them, in planes that `zeros` makes."""
        return Changes(**{name: _plane(array, zeros) for name, array in self._arrays.items()})

    @property
    def colours(self) -> Parts:
        """`(3, h, w)`, see `Changes`."""
        return self._arrays["colours"]

    def probability(self, *, zeros: Zeros = np.zeros) -> NDArray[np.float32]:
        """As `Changes.probability`."""
        settled, leg = (_plane(self._arrays[name], zeros) for name in ("settled", "leg"))
        return _accumulated(settled, leg, zeros)


def _plane(array: Difference, zeros: Zeros) -> NDArray[Any]:
    plane = zeros(array.shape, array.dtype)
    for window in cut(array.shape[-2], array.shape[-1], _CHUNK):
        plane[(..., *window.slices)] = array[(..., *window.slices)]
    return plane


def _accumulated(
    settled: NDArray[np.float32], leg: NDArray[np.float32], zeros: Zeros
) -> NDArray[np.float32]:
    found = zeros(leg.shape, np.float32)
    for rows in strips(found.shape):
        found[rows] = 1 - (1 - settled[rows]) * (1 - leg[rows])
    return found


def _bases(cells: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """What each array is where nothing has changed."""
    shape = cells.shape[1:]

    def same(value: float, dtype: DTypeLike, *leading: int) -> NDArray[np.generic]:
        return np.broadcast_to(np.array(value, dtype), (*leading, *shape))

    return {
        "changed": same(False, np.bool_),
        "colours": cells,
        "sources": same(NO_SOURCE, np.int32, 2),
        "settled": same(0, np.float32),
        "leg": same(0, np.float32),
    }
