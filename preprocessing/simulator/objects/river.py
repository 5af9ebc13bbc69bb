"""A river that meanders: its bends grow, move downstream and are cut off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.landform.terrain import distance_to_line
from preprocessing.simulator.objects.setting import Setting

__all__ = ["River"]

_HISTORY_YEARS = 24
_SAND_YEARS = 5
_BEND_STEPS = 220
_BANK_M_PER_YEAR = 8.0


class River:
    """The main river, year after year.

    Args:
        setting: Where.
        bank_m_per_year: How fast a bank may retreat.

    Attributes:
        water: `(h, w)` bool, the bed this year.
        sand: `(h, w)` bool, bars left dry within the last years.
        old_bed: `(h, w)` bool, ground that was river within the last decades.
    """

    def __init__(self, setting: Setting, *, bank_m_per_year: float = _BANK_M_PER_YEAR) -> None:
        frame = self._frame = setting.frame
        self._most_px = frame.px(bank_m_per_year)
        self._width_px = frame.px(setting.region.river_width_m)
        self._axis = _evenly(setting.terrain.valley, self._width_px * 0.5)
        self._tree = cKDTree(self._axis)
        rng = setting.rng("river")
        soil = fractal_noise(
            (frame.height // 8 + 1, frame.width // 8 + 1),
            rng,
            slope=1.5,
            largest_px=frame.px(900.0) / 8,
        )
        # Banks of clay hold where banks of sand give way, so that no two bends are alike.
        self._softness = np.clip(0.65 + 0.45 * soil, 0.08, 1.3)
        sway = ndimage.gaussian_filter1d(rng.standard_normal((len(self._axis), 2)), 6.0, axis=0)
        line = self._axis + sway / sway.std() * self._width_px * 0.9
        for _ in range(_BEND_STEPS):
            line = self._bend(line, self._width_px * 0.12)
        self._line = line
        noise = fractal_noise(
            frame.shape, rng, slope=1.5, largest_px=4 * self._width_px, smallest_px=6.0
        )
        self._half_px = self._width_px * 0.5 * (1.0 + 0.14 * noise)
        self._left = np.full(frame.shape, 10_000, dtype=np.int16)
        self.water = self._bed()
        for _ in range(_HISTORY_YEARS):
            self.step(np.zeros(frame.shape, dtype=bool))

    @property
    def sand(self) -> NDArray[np.bool_]:
        """Bars: ground the river left within the last few years."""
        return np.asarray((self._left <= _SAND_YEARS) & ~self.water)

    @property
    def old_bed(self) -> NDArray[np.bool_]:
        """Overgrown bars: ground the river left within the last decades."""
        return np.asarray((self._left < 10_000) & ~self.water)

    def step(self, fixed: NDArray[np.bool_]) -> None:
        """Let a year pass.

        Args:
            fixed: `(h, w)` ground that is held against the river: towns, roads.
        """
        line = self._bend(self._line, self._most_px)
        if fixed.any():
            index = np.rint(line).astype(int)
            index[:, 0] = np.clip(index[:, 0], 0, self._frame.width - 1)
            index[:, 1] = np.clip(index[:, 1], 0, self._frame.height - 1)
            near = ndimage.maximum_filter(fixed, size=2 * int(self._width_px) + 1)
            held = near[index[:, 1], index[:, 0]]
            if held.any():
                back = cKDTree(self._line).query(line[held])[1]
                line[held] = self._line[back]
        self._line = line
        bed = self._bed() & ~(fixed & ~self.water)
        self._left = np.where(self.water, 0, self._left + 1).astype(np.int16)
        self._left[self._left > 60] = 10_000
        self.water = bed

    def _bed(self) -> NDArray[np.bool_]:
        return np.asarray(distance_to_line(self._frame, self._line) < self._half_px)

    def _bend(self, line: NDArray[np.float64], most_px: float) -> NDArray[np.float64]:
        """Move a line by the law of Howard and Knutson 1984, by at most `most_px`.

        The bank retreats with the curvature upstream rather than the local one, which makes
        bends grow and wander down the valley.
        """
        width = self._width_px
        line = _evenly(_cut_necks(line, width * 1.5), width * 0.5)
        tangent = np.gradient(line, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
        turn = np.gradient(tangent, axis=0)
        curvature = (tangent[:, 0] * turn[:, 1] - tangent[:, 1] * turn[:, 0]) * 2.0
        curvature = np.clip(ndimage.gaussian_filter1d(curvature, 1.5), -0.6, 0.6)
        lag = np.exp(-np.arange(16) / 2.2)
        upstream = np.convolve(curvature, lag / lag.sum())[: len(curvature)]
        rate = 2.5 * upstream - curvature
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        move = -rate[:, None] * normal / 0.3 * most_px
        length = np.linalg.norm(move, axis=1, keepdims=True)
        move *= np.minimum(1.0, most_px / np.maximum(length, 1e-9))
        distance, nearest = self._tree.query(line)
        away = line - self._axis[nearest]
        outward = (move * away).sum(axis=1) > 0
        belt = np.clip(1.0 - (distance / (3.6 * width)) ** 2, 0.0, 1.0)
        move[outward] *= belt[outward, None]
        taper = np.clip(np.minimum(np.arange(len(line)), np.arange(len(line))[::-1]) / 6.0, 0, 1)
        col, row = np.rint(line / 8).astype(int).T
        rows, cols = self._softness.shape
        soft = self._softness[np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1)]
        moved = line + move * (taper * soft)[:, None]
        moved = ndimage.gaussian_filter1d(moved, 0.6, axis=0, mode="nearest")
        moved[0], moved[-1] = self._axis[0], self._axis[-1]
        return np.asarray(moved)


def _evenly(line: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """The same line with points `step` apart."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, length[-1], max(int(length[-1] / step), 4) + 1)
    return np.stack([np.interp(at, length, line[:, 0]), np.interp(at, length, line[:, 1])], axis=1)


def _cut_necks(line: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Cut off loops whose necks are narrower than `reach`."""
    pairs = cKDTree(line).query_pairs(reach, output_type="ndarray")
    if len(pairs) == 0:
        return line
    pairs = np.sort(pairs, axis=1)
    pairs = pairs[pairs[:, 1] - pairs[:, 0] > 10]
    keep = np.ones(len(line), dtype=bool)
    for first, last in pairs[np.argsort(pairs[:, 0])].tolist():
        if keep[first] and keep[last]:
            keep[first + 1 : last] = False
    return line[keep]
