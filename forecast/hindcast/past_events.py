"""What changed in a region before, what it looked like until then, and where it is seen today."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from forecast.hindcast.intervals import BLOCK
from forecast.hindcast.past import Past
from forecast.region.windows import cut, grown, strips, within
from preprocessing.lasting_change.dated_cells import texture_of_cells
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.running.disk_space import Zeros
from preprocessing.tiles.cells import CELL

__all__ = [
    "FARTHEST",
    "LIKE",
    "MOST_CELLS",
    "SURROUNDINGS",
    "Events",
    "kinds_of",
    "past_events",
    "surroundings_of",
]

FARTHEST = 3.0
"""Largest distance of ground from what it is to be like, in units of contrast."""
LIKE = 24
"""Most cells among which one is drawn."""
MOST_CELLS = 60_000
"""That are searched."""
_NEAR, SURROUNDINGS = 5, 21
"""Cells along the windows whose mean and texture tell the kind of ground, and what lies around."""
_TEXTURE = 2.0
"""Weight of a difference in texture or detail beside one in colour."""
_SURE, _NEARLY = 0.5, 2.0
"""Ground no farther than this is alike, and ground so many times as far as the nearest."""
_YEARS = (3.0, 8.0)
"""How far back events are looked for."""
_WHOLE = 0.6
"""Share of the 3 x 3 cells around a cell that changed if what it became is shown whole."""


@dataclass(frozen=True)
class Events:
    """Cells that changed in a region before.

    Attributes:
        before: `(n, 8)` surroundings of each before it changed, see `surroundings_of`.
        at: `(n,)` flat indices of the cells; the start shows what they became.
    """

    before: NDArray[np.float32]
    at: NDArray[np.int64]

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.before)

    def like(self, now: NDArray[np.float32]) -> NDArray[np.int64]:
        """Cells that looked like this before they changed, the most alike first."""
        far, near = self._tree.query(now, k=range(1, 1 + min(LIKE, len(self.at))))
        alike = far <= min(FARTHEST, max(_SURE, _NEARLY * far[0]))
        return np.asarray(self.at[near[alike]])

    def save(self, path: Path) -> None:
        """Write to a `.npz` file."""
        np.savez(path, before=self.before, at=self.at)

    @classmethod
    def load(cls, path: Path) -> Events | None:
        """Read what `save` wrote; None where there is nothing."""
        if not path.exists():
            return None
        with np.load(path) as stored:
            return cls(stored["before"], stored["at"])


def past_events(past: Past, contrast: float) -> Events:
    """Cells that changed lastingly within the last years, at most `MOST_CELLS` of them.

    Args:
        past: Three dates or more, the last of them the start.
        contrast: Of the region.
    """
    last = len(past) - 2  # Two dates tell whether it lasted.
    ahead = past.years[last] - past.years[:last]
    dates = sorted({int(np.abs(ahead - years).argmin()) for years in _YEARS})
    places = [(date, window) for date in dates for window in cut(*past.shape, BLOCK)]
    found = [_changed_in(past, date, window) for date, window in places]
    every = max(1, -(-sum(map(len, found)) // MOST_CELLS))
    before, at, passed = [np.zeros((0, 8), np.float32)], [np.zeros(0, np.int64)], 0
    for (date, window), cells in zip(places, found, strict=True):
        chosen = cells[-passed % every :: every]
        passed += len(cells)
        if len(chosen):
            around = grown(window, SURROUNDINGS // 2, *past.shape)
            here = within(window, around)
            looks = surroundings_of(past.block(around.slices).cells[date], contrast)
            row, col = np.unravel_index(chosen, (window.height, window.width))
            before.append(looks[(row + here.row) * around.width + col + here.col])
            at.append((row + window.row) * past.shape[1] + col + window.col)
    return Events(np.concatenate(before), np.concatenate(at))


def _changed_in(past: Past, date: int, window: Window) -> NDArray[np.int32]:
    """Cells of a block, as flat indices in it, that changed from a date to the last but one."""
    around = grown(window, 1, *past.shape)
    here = past.block(around.slices)
    changed, known = here.changed(date, len(past) - 2)
    whole = uniform_filter(changed.astype(np.float32), 3, mode="nearest") > _WHOLE
    part = (changed & whole & known & here.known[-1])[within(window, around).slices]
    return np.flatnonzero(part).astype(np.int32)


def kinds_of(
    image: Parts, cells: NDArray[np.float32], contrast: float, *, zeros: Zeros = np.zeros
) -> NDArray[np.float32]:
    """What kind of ground there is: mean colour, texture and detail of the cells around.

    Texture is what cells differ by among each other, detail what pixels differ by within them.

    Args:
        image: `(3, 4 * h, 4 * w)`, 0..1.
        cells: `(3, h, w)` means over its cells.
        contrast: Of the region.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h * w, 5)` in units of contrast; texture and detail count twice.
    """
    height, width = cells.shape[1:]
    kinds = zeros((height * width, 5), np.float32)
    for rows in strips((height, CELL * CELL * width)):
        inner = Window(rows.start, 0, rows.stop - rows.start, width)
        around = grown(inner, _NEAR // 2, height, width)
        found = _described(cells[(slice(None), *around.slices)], contrast, _NEAR)
        pixels = 255 * image[:, CELL * around.row : CELL * (around.row + around.height)]
        detail = texture_of_cells(pixels) * (_TEXTURE / 255 / contrast)
        detail = uniform_filter(detail, _NEAR, mode="nearest")
        found = np.concatenate([found, detail.reshape(-1, 1)], axis=1)
        found = found.reshape(around.height, width, 5)[within(inner, around).slices]
        kinds[rows.start * width : rows.stop * width] = found.reshape(-1, 5)
    return kinds


def surroundings_of(cells: NDArray[np.float32], contrast: float) -> NDArray[np.float32]:
    """Kind of ground of each cell, and what lies around it.

    Args:
        cells: `(3, h, w)`.
        contrast: Of the region.

    Returns:
        `(h * w, 8)` in units of contrast.
    """
    return np.concatenate(
        [_described(cells, contrast, size) for size in (_NEAR, SURROUNDINGS)], axis=1
    )


def _described(cells: NDArray[np.float32], contrast: float, size: int) -> NDArray[np.float32]:
    units = np.asarray(cells, np.float32) / contrast
    light = units.mean(axis=0)
    mean = [uniform_filter(band, size, mode="nearest") for band in units]
    square = uniform_filter(light**2, size, mode="nearest")
    variance = square - uniform_filter(light, size, mode="nearest") ** 2
    texture = _TEXTURE * np.sqrt(variance.clip(0))
    return np.ascontiguousarray(np.stack([*mean, texture]).reshape(4, -1).T)
