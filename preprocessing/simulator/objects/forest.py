"""Forest: cut from its edges in compact blocks, and growing back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.objects.setting import Setting

__all__ = ["CLEARCUT_YEARS", "CLOSED_YEARS", "Forest", "initial_forest"]

CLEARCUT_YEARS = 2
CLOSED_YEARS = 13
_RIPE_YEARS = 35
_HISTORY_YEARS = 14
_CUT_SHARE = 0.012
_LOST_SHARE = 0.25


class Forest:
    """Where trees stand, and how old they are.

    Attributes:
        age: `(h, w)` int16 years since the ground was last cut; -1 where there is no forest.
    """

    def __init__(self, setting: Setting, blocked: NDArray[np.bool_]) -> None:
        self._setting, self._frame = setting, setting.frame
        parcels = self._parcels = setting.parcels
        rng = setting.rng("forest")
        trees = initial_forest(setting, blocked, rng)
        stand_age = rng.integers(_RIPE_YEARS, 110, parcels.count)
        self.age = np.where(trees, stand_age[parcels.label], -1).astype(np.int16)
        self._banks = _stream_trees(setting, rng) & ~blocked & ~trees
        self.age[self._banks] = 60
        for year in range(_HISTORY_YEARS):
            self._grow()
            self._cut(setting.rng("forest history", year))

    def step(self, year: int) -> None:
        """Let a year pass: every stand is a year older, a few blocks are cut."""
        self._grow()
        self._cut(self._setting.rng("forest", year))

    def remove(self, where: NDArray[np.bool_]) -> None:
        """Take ground from the forest for good."""
        self.age[where] = -1

    def _grow(self) -> None:
        self.age[self.age >= 0] += 1
        np.minimum(self.age, 200, out=self.age)

    def _cut(self, rng: np.random.Generator) -> None:
        ripe = (self.age >= _RIPE_YEARS) & ~self._banks
        closed = (self.age >= CLOSED_YEARS).astype(np.uint8)
        inner = cv2.erode(closed, np.ones((3, 3), np.uint8), borderValue=1)
        edge = np.flatnonzero(ripe & (inner == 0))
        if len(edge) == 0:
            return
        left = _CUT_SHARE * float(ripe.sum()) * float(rng.uniform(0.6, 1.4))
        for spot in rng.permutation(edge)[:200].tolist():
            if left <= 0:
                break
            row, col = divmod(spot, self._frame.width)
            if not ripe[row, col]:
                continue
            window, block = self._block(row, col, ripe, rng)
            if block.sum() < self._frame.px(60.0) ** 2:
                continue
            ripe[window][block] = False
            # Some clearings become fields; the others are replanted.
            self.age[window][block] = -1 if rng.random() < _LOST_SHARE else 0
            left -= float(block.sum())

    def _block(
        self, row: int, col: int, ripe: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
        """A block of ripe trees that starts at an edge and follows the lines of the parcels."""
        across = float(rng.uniform(110.0, 260.0))
        along = float(rng.uniform(140.0, 340.0))
        reach = int(self._frame.px(np.hypot(across, along))) + 1
        window = (slice(max(row - reach, 0), row + reach), slice(max(col - reach, 0), col + reach))
        maps = self._parcels
        v, u = maps.across_m, maps.along_m
        # The edge may run along any side of the block: place the block anywhere around the spot.
        v0 = float(v[row, col]) + across * float(rng.uniform(-0.45, 0.45))
        u0 = float(u[row, col]) + along * float(rng.uniform(-0.45, 0.45))
        inside = (abs(v[window] - v0) < across / 2) & (abs(u[window] - u0) < along / 2)
        inside &= ripe[window] & (maps.block[window] == maps.block[row, col])
        parts, _ = ndimage.label(inside)
        here = parts[row - window[0].start, col - window[1].start]
        return window, np.asarray((parts == here) & (here > 0))


def initial_forest(
    setting: Setting, blocked: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Trees before anybody cuts: steep, high and remote ground.

    Half of the edges follow parcels, half the ground.
    """
    frame, terrain, parcels = setting.frame, setting.terrain, setting.parcels
    wish = fractal_noise(
        frame.shape, rng, slope=2.1, largest_px=frame.px(1800.0), smallest_px=frame.px(40.0)
    )
    wish = wish + np.clip(terrain.slope / 0.05, 0.0, 3.0)
    wish -= 1.2 * np.exp(-terrain.valley_m / 350.0)
    mean = ndimage.mean(wish, parcels.label, np.arange(parcels.count)).astype(np.float32)
    own = rng.normal(0.0, 0.35, parcels.count).astype(np.float32)
    crisp = rng.uniform(0.45, 1.0, parcels.count).astype(np.float32)
    label = parcels.label
    wish = (mean + own)[label] * crisp[label] + wish * (1.0 - crisp[label])
    level = float(np.quantile(wish[::3, ::3], 1.0 - setting.region.forest_share))
    trees = (wish > level) & ~blocked
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(trees.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel) > 0) & ~blocked


def _stream_trees(setting: Setting, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Broken rows of trees along the streams."""
    frame, distance = setting.frame, distance_to(setting.terrain.streams)
    gaps = fractal_noise(frame.shape, rng, slope=1.0, largest_px=frame.px(220.0), smallest_px=5.0)
    return np.asarray(distance * frame.fine_m < 8.0 + 7.0 * gaps)
