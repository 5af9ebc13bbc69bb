"""A coast: the sea takes ground here and leaves it there, and people take ground from the sea."""

from __future__ import annotations

import numpy as np

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.waters.flooding import flood

__all__ = ["Coast"]

_SHORE_M_PER_YEAR = 9.0


class Coast:
    """The sea, its beach, and made land."""

    def __init__(self, site: Site, ground: Ground, *, reclaiming: float) -> None:
        """Lay the shoreline.

        Args:
            site: Where.
            ground: The land.
            reclaiming: Pieces of made land begun in a usual year; none if negative.
        """
        rng = site.rng("coast")
        self._site = site
        height, width = site.shape
        side = min(height, width)
        # The river leaves the map into the sea.
        end = site.terrain.valley[-1] - np.array([width, height]) / 2
        angle = float(np.arctan2(end[1], end[0]) + rng.normal(0.0, 0.3))
        row, col = np.indices(site.shape, dtype=np.float32)
        inland = -((col - width / 2) * np.cos(angle) + (row - height / 2) * np.sin(angle))
        rough = float(rng.uniform(0.02, 0.12)) * side
        shape = site.noise("shoreline", largest_px=0.7 * side, slope=float(rng.uniform(1.8, 2.7)))
        islands = site.noise("islands", largest_px=0.15 * side, smallest_px=8.0, slope=2.4)
        far = np.clip(-inland / (0.3 * side), 0.0, 1.0)
        land = inland + rough * shape
        land = land + far * (rough * 3.0 * np.maximum(islands - 1.3, 0.0) * (rng.random() < 0.6))
        level = np.quantile(land[::3, ::3], float(rng.uniform(0.2, 0.5)))
        # Height over the shoreline, turned into pixels from it: what moves, moves evenly.
        sea = land < level
        self._inland = np.where(sea, -distance_to(~sea), distance_to(sea)).astype(np.float32)
        self._drift = site.noise("shore drift", largest_px=0.3 * side, smallest_px=12.0, slope=1.6)
        quick = site.px(_SHORE_M_PER_YEAR * float(np.exp(rng.normal(0.0, 0.6))))
        self._px_per_year = min(quick, 0.006 * side)
        self._beach = site.px(float(rng.uniform(15.0, 60.0)), least=1.0)
        self._pace = site.pace("reclaiming")
        self._rate, self._owed = reclaiming, 0.0
        self._made = np.zeros(site.shape, dtype=bool)
        self.step(ground, 0)
        sand = (self._inland > 0) & (self._inland < self._beach) & ground.free
        ground.take(sand, Cover.BARE, -60, Style.SITE)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass."""
        shore = np.float32(year * self._px_per_year) * self._drift
        held = self._made | ground.has(Cover.BUILT_UP, Cover.ROAD)
        wet = (self._inland + shore < 0) & ~held
        flood(ground, wet, year, water=Style.SEA, left=Style.SITE)
        # Made land is filled first and built on two years later.
        raw = self._made & ground.has(Cover.BARE) & (ground.since <= year - 2)
        ground.take(raw, Cover.BUILT_UP, year, Style.SUBURB, ground.unit.copy())
        if year > 0:
            self._owed += self._rate * self._pace.at(year)
        while self._owed >= 1.0:
            self._owed -= 1.0
            self._reclaim(ground, year)

    def _reclaim(self, ground: Ground, year: int) -> None:
        """A quay at the shore, or an island: a bar, a ring or a fan before it."""
        rng = self._site.rng("reclaim", year)
        sea = ground.has(Cover.WATER, style=Style.SEA)
        size = min(
            self._site.px(float(rng.uniform(300.0, 1200.0)), least=14.0), 0.12 * sea.shape[0]
        )
        off = float(rng.choice([0.3, 0.5, 1.6])) * size
        depth = -self._inland
        there = np.flatnonzero(sea & (np.abs(depth - off) < 2.0))
        if len(there) == 0:
            return
        y, x = divmod(int(rng.choice(there)), sea.shape[1])
        row, col = np.indices(sea.shape, dtype=np.float32)
        angle = float(rng.uniform(0.0, np.pi))
        u = (col - x) * np.cos(angle) + (row - y) * np.sin(angle)
        v = (row - y) * np.cos(angle) - (col - x) * np.sin(angle)
        away = np.hypot(u, v)
        if off < size:
            made = (np.abs(u) < 0.9 * size) & (np.abs(v) < 0.5 * size)
        elif rng.random() < 0.5:
            made = (away < size) & (away > 0.78 * size) & (np.abs(np.arctan2(v, u)) < 2.6)
            spokes = np.cos(9 * np.arctan2(v, u)) > 0.2
            made |= (away < 0.62 * size) & spokes
        else:
            made = (away < 0.5 * size) | ((np.abs(u) < 0.12 * size) & (np.abs(v) < 1.2 * size))
        made &= sea
        self._made |= made
        unit = np.full(sea.shape, year + 1, dtype=np.int32)
        ground.take(np.asarray(made), Cover.BARE, year, Style.SITE, unit)
