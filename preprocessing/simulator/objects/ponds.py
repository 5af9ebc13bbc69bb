"""Ponds in hollows, which spread in wet years and shrink in dry ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.objects.setting import Setting

__all__ = ["Ponds"]

_MEMORY = 0.8
_SWING = 0.07
_FRINGE = 0.1


class Ponds:
    """Standing water without a stream; few or none in most regions.

    Attributes:
        ground: `(h, w)` bool, all that a pond or its reeds can ever reach.
    """

    def __init__(self, setting: Setting, keep_out: NDArray[np.bool_]) -> None:
        frame, region, terrain = setting.frame, setting.region, setting.terrain
        rng = setting.rng("ponds")
        depth = fractal_noise(
            frame.shape, rng, slope=2.7, largest_px=frame.px(800.0), smallest_px=frame.px(80.0)
        )
        depth -= np.clip(terrain.slope / 0.03, 0.0, 3.0) ** 2
        depth[keep_out] = -9.0
        depth -= 3.0 * np.exp(-terrain.valley_m / (4.0 * region.river_width_m))
        level = float(np.quantile(depth[::2, ::2], 1.0 - region.pond_share))
        self._depth = depth - np.float32(level)
        self._exists = region.pond_share > 0
        self._setting = setting
        self.ground = np.asarray(self._depth > -3.5 * _SWING) & self._exists

    def water(self, year: int) -> NDArray[np.bool_]:
        """`(h, w)` bool, open water in a year (index)."""
        return np.asarray((self._depth > self._dry(year)) & self._exists)

    def fringe(self, year: int) -> NDArray[np.bool_]:
        """`(h, w)` bool, reeds and wet grass around the water."""
        close = (self._depth > self._dry(year) - _FRINGE) & self._exists
        return np.asarray(close & ~self.water(year))

    def _dry(self, year: int) -> float:
        """How far the level lies below its mean: a slow random walk that returns to it."""
        steps = [
            float(np.clip(self._setting.rng("pond level", each).normal(), -2.0, 2.0))
            for each in range(year + 1)
        ]
        state = 0.0
        for step in steps:
            state = _MEMORY * state + (1.0 - _MEMORY**2) ** 0.5 * step
        return _SWING * float(np.clip(state, -2.0, 2.0))
