"""A large reservoir in the main valley: it fills behind its dam, falls in droughts, recovers."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.objects.reservoir import catchment_of, embankment, pool
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.waters.flooding import flood

__all__ = ["Lake"]

_SHARES = (0.03, 0.13)
_FILL_YEARS = 4.0
_LOWEST = 0.12
_NEAR = 0.5


class Lake:
    """A lake with many arms, and its level.

    Attributes:
        basin: `(h, w)` bool, ground under the full lake.
        story: What the level does: a dam is `built`, the lake `falls`, or `swings`.
        opened: Index of the year in which the dam is closed; negative if it stands already.
    """

    def __init__(self, site: Site, ground: Ground, *, whole: bool) -> None:
        """Find the place for the dam.

        Args:
            site: Where.
            ground: The land.
            whole: Whether the dam lies far downstream, so that the lake fills most of the valley.
        """
        rng = site.rng("lake")
        self._site = site
        stories: tuple[Literal["built", "falls", "swings"], ...] = ("built", "falls", "swings")
        self.story = stories[int(rng.integers(3))]
        self.opened = int(rng.integers(1, 7)) if self.story == "built" else -30
        self._turn = float(rng.uniform(1.0, 6.0))
        self._target = float(rng.uniform(0.3, 0.75))
        terrain, frame = site.terrain, site.landform
        first = float(rng.uniform(0.75, 0.97) if whole else rng.uniform(0.4, 0.7))
        share = float(rng.uniform(*_SHARES))
        best = np.inf
        for part in (first, 0.95, 0.75, 0.55):
            cell = _dam_site(site, part)
            catchment = catchment_of(frame, terrain, cell)
            bottom = float(terrain.cells_m.ravel()[cell])
            for depth in (0.06, 0.1, 0.15, 0.22, 0.3, 0.45):
                level = bottom + depth * site.region.relief_m
                basin = pool(frame, terrain, catchment, level, cell)
                miss = abs(float(np.log(max(basin.mean(), 1e-5) / share)))
                if miss < best:
                    best, self.basin = miss, basin
                    self._bottom, self._full = bottom, level
                    dam = (catchment, level, cell)
            if best < _NEAR:
                break
        self._dam = embankment(frame, terrain, *dam) & ~self.basin
        if self.opened < 0:
            ground.take(self._dam & ground.free, Cover.BARE, self.opened, Style.SITE)
        self.step(ground, 0)

    def part(self, year: int) -> float:
        """Height of the water in a year (index) over that of the full lake, 0..1."""
        swing = 0.0
        for each in range(year + 1):
            swing = 0.7 * swing + 0.1 * float(self._site.rng("lake level", each).normal())
        since = year - self.opened
        if since < 0:
            return 0.0
        filled = 1.0 - 0.85 * float(np.exp(-since / _FILL_YEARS * 2.2))
        if self.story == "falls":
            filled -= (1.0 - self._target) * float(np.clip((year - self._turn) / 8.0, 0.0, 1.0))
        if self.story == "swings":
            swing = 1.6 * swing - 0.15
        return float(np.clip(filled + swing, _LOWEST, 1.0))

    def water(self, year: int) -> NDArray[np.bool_]:
        """`(h, w)` bool, the lake in a year (index)."""
        part = self.part(year)
        if part == 0.0:
            return np.zeros_like(self.basin)
        level = self._bottom + part * (self._full - self._bottom)
        return np.asarray(self.basin & (self._site.terrain.elevation_m < level))

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass; the dam is seen from the year before it is closed."""
        if year == max(self.opened - 1, 0) and self.opened >= 0:
            ground.take(self._dam, Cover.BARE, year, Style.SITE)
        wet = self.water(year)
        river = ground.has(Cover.WATER, style=Style.RIVER)
        ground.take(wet & river, Cover.WATER, year, Style.LAKE)
        flood(ground, wet, year, water=Style.LAKE, left=Style.SHORE)


def _dam_site(site: Site, part: float) -> int:
    """A cell of the main river at `part` of its way through the map, or of the largest stream."""
    terrain, frame = site.terrain, site.landform
    size = np.array([frame.width, frame.height])
    inside = ((terrain.valley > 8) & (terrain.valley < size - 8)).all(axis=1)
    water = terrain.flow.accumulation.reshape(frame.cell_shape)
    edge = frame.margin + 3
    if inside.sum() < 8:
        inner = np.zeros_like(water)
        inner[edge:-edge, edge:-edge] = water[edge:-edge, edge:-edge]
        return int(inner.argmax())
    path = terrain.valley[inside]
    x, y = path[int(part * (len(path) - 1))] / (frame.cell_m / frame.fine_m) + frame.margin
    # The smoothed axis may lie beside the cells that the river runs through.
    row, col = int(y), int(x)
    near = water[row - 3 : row + 4, col - 3 : col + 4]
    dy, dx = divmod(int(near.argmax()), near.shape[1])
    return int((row - 3 + dy) * frame.cell_width + col - 3 + dx)
