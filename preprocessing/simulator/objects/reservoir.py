"""A dam is built across a side valley and the valley fills."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from preprocessing.simulator.landform.frame import Frame
from preprocessing.simulator.landform.terrain import Terrain
from preprocessing.simulator.objects.setting import Setting

__all__ = ["Reservoir", "catchment_of", "embankment", "pool"]

_FILL = (0.0, 0.35, 0.6, 0.8, 0.93, 1.0)


class Reservoir:
    """A lake that does not exist at first.

    Attributes:
        basin: `(h, w)` bool, ground under the full lake; empty if no valley is fit for a dam.
        dam: `(h, w)` bool, the embankment, once it is built.
        start: Index of the year in which the dam is built and the floor cleared.
    """

    def __init__(self, setting: Setting) -> None:
        frame, region, terrain = setting.frame, setting.region, setting.terrain
        rng = setting.rng("reservoir")
        self.start = int(rng.integers(1, 5))
        self._levels = setting.rng("reservoir levels").uniform(-0.12, 0.0, size=400)
        self._elevation = terrain.elevation_m
        self.basin = np.zeros(frame.shape, dtype=bool)
        self.dam = np.zeros(frame.shape, dtype=bool)
        self._bottom_m = self._full_m = 0.0
        best = -np.inf
        for cell in _candidates(frame, terrain, rng):
            catchment = catchment_of(frame, terrain, cell)
            base = float(terrain.cells_m.ravel()[cell])
            for height_m in (0.05, 0.08, 0.12):
                level = base + max(height_m * region.relief_m, 5.0)
                basin = pool(frame, terrain, catchment, level, cell)
                share = float(basin.mean())
                score = -abs(np.log(max(share, 1e-6) / 0.013))
                if score > best:
                    best = score
                    self._bottom_m, self._full_m = base, level
                    self.basin = basin
                    self.dam = embankment(frame, terrain, catchment, level, cell)
        if best < -1.6:
            self.basin[:] = False
            self.dam[:] = False
        self.dam &= ~self.basin

    def water(self, year: int) -> NDArray[np.bool_]:
        """`(h, w)` bool, the lake in a year (index)."""
        since = year - self.start
        if since <= 0:
            return np.zeros_like(self.basin)
        part = _FILL[since] if since < len(_FILL) else 1.0 + self._levels[since % 400]
        level = self._bottom_m + part * (self._full_m - self._bottom_m)
        return np.asarray(self.basin & (self._elevation < level))

    def bare(self, year: int) -> NDArray[np.bool_]:
        """`(h, w)` bool, the dam and the cleared ground that is not under water."""
        if year < self.start:
            return np.zeros_like(self.basin)
        return np.asarray((self.basin & ~self.water(year)) | self.dam)


def _candidates(frame: Frame, terrain: Terrain, rng: np.random.Generator) -> list[int]:
    """Cells on side streams, away from the main valley and the edges."""
    size = terrain.cells_m.size
    valley = frame.to_cells(terrain.valley_m).ravel()
    drained = terrain.flow.accumulation
    row, col = np.divmod(np.arange(size), frame.cell_width)
    edge = frame.margin + 3
    fit = (drained > 0.008 * size) & (drained < 0.16 * size) & (valley > 420.0)
    fit &= (row >= edge) & (row < frame.cell_height - edge)
    fit &= (col >= edge) & (col < frame.cell_width - edge)
    found = np.flatnonzero(fit)
    return [int(cell) for cell in rng.permutation(found)[:14]]


def catchment_of(frame: Frame, terrain: Terrain, cell: int) -> NDArray[np.bool_]:
    """Fine pixels that drain through a cell."""
    inside = terrain.flow.upstream(cell).reshape(frame.cell_shape)
    return np.asarray(frame.to_fine(inside, smooth=False) > 0.5)


def pool(
    frame: Frame, terrain: Terrain, catchment: NDArray[np.bool_], level: float, cell: int
) -> NDArray[np.bool_]:
    """Ground of the catchment below `level` that is joined to the dam."""
    low = catchment & (terrain.elevation_m < level)
    parts, _ = ndimage.label(low)
    x, y = frame.cell_points(np.array([cell]))[0]
    reach = int(frame.px(frame.cell_m)) + 1
    near = parts[
        max(int(y) - reach, 0) : int(y) + reach + 1, max(int(x) - reach, 0) : int(x) + reach + 1
    ]
    labels = np.unique(near[near > 0])
    return np.asarray(np.isin(parts, labels) & low) if len(labels) else np.zeros_like(low)


def embankment(
    frame: Frame, terrain: Terrain, catchment: NDArray[np.bool_], level: float, cell: int
) -> NDArray[np.bool_]:
    """The rim of the catchment where it crosses the valley at the dam."""
    wide = max(1, round(frame.px(14.0)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * wide + 1, 2 * wide + 1))
    rim = cv2.dilate(catchment.astype(np.uint8), kernel) > catchment
    x, y = frame.cell_points(np.array([cell]))[0]
    row, col = np.ogrid[: frame.height, : frame.width]
    close = (row - y) ** 2 + (col - x) ** 2 < frame.px(450.0) ** 2
    return np.asarray(rim & close & (terrain.elevation_m < level + 1.0))
