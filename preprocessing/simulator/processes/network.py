"""Roads: by least cost between towns and out of the map; new ones open year after year."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.paths import CostSurface
from preprocessing.simulator.objects.roads import town_links, town_sites
from preprocessing.simulator.processes.ground import LONG_AGO, Ground, Style
from preprocessing.simulator.processes.site import Site

__all__ = ["Network"]

_MOTORWAYS = 3


class Network:
    """Towns and the roads that join them.

    Attributes:
        towns: `(n, 2)` fine `(x, y)` of the town centres, best ground first.
        lines: Polylines of fine `(x, y)` points of the first year's roads, main roads first.
    """

    def __init__(self, site: Site, ground: Ground, *, new_roads: float) -> None:
        frame, rng = site.frame, site.rng("network")
        self._site = site
        self._pace = site.pace("network")
        self._rate, self._owed = new_roads, 0.0
        slope = frame.to_cells(site.terrain.slope).astype(np.float64)
        wet = frame.to_cells(ground.has(Cover.WATER)).astype(np.float64)
        sites = town_sites(site.landform, site.terrain, slope, wet > 0.1, wet > 0.5, rng)
        self.towns = frame.cell_points(sites)
        noise = ndimage.gaussian_filter(rng.random(slope.shape), 2.0)
        noise = (noise - noise.min()) / max(float(np.ptp(noise)), 1e-9)
        # Flat country has straight roads.
        self._cost = 1.0 + (slope / 0.06) ** 2 + 14.0 * wet + float(rng.uniform(0.1, 1.2)) * noise
        self.lines: list[NDArray[np.float64]] = []
        links = town_links(site.landform, sites, rng)
        for number, link in enumerate(links):
            line = self._lay(*link)
            self.lines.append(line)
            self._pave(ground, line, LONG_AGO, main=number < _MOTORWAYS)
        self._planned = self._plans(sites, rng)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass: roads are begun as bare ground and paved a year later."""
        site = ground.has(Cover.BARE, style=Style.SITE) & (ground.unit == -1)
        ground.take(site & (ground.since < year), Cover.ROAD, year, Style.WILD)
        if year <= 0:
            return
        self._owed += self._rate * self._pace.at(year)
        while self._owed >= 1.0 and self._planned:
            self._owed -= 1.0
            line = self._lay(*self._planned.pop(0))
            self._pave(ground, line, year, main=True)

    def _lay(self, start: int, end: int) -> NDArray[np.float64]:
        """A line along the cheapest path; what has a road is cheap, so roads join."""
        path = CostSurface(self._cost).paths(start, [end])[0]
        flat = self._cost.ravel()
        flat[path] = np.minimum(flat[path], 0.3)
        line = self._site.frame.cell_points(path)
        return np.asarray(ndimage.gaussian_filter1d(line, 1.6, axis=0, mode="nearest"))

    def _pave(self, ground: Ground, line: NDArray[np.float64], year: int, *, main: bool) -> None:
        canvas = np.zeros(ground.cover.shape, dtype=np.uint8)
        wide = max(1, round(self._site.px(18.0 if main else 7.0)))
        cv2.polylines(canvas, [np.rint(line * 16).astype(np.int32)], False, 1, wide, 8, 4)
        road = (canvas > 0) & ~ground.has(Cover.ROAD)
        if year < 0:
            ground.take(road, Cover.ROAD, year)
            return
        road &= ~ground.has(Cover.BUILT_UP)
        bridge = road & ground.has(Cover.WATER)
        ground.take(bridge, Cover.ROAD, year)
        mark = np.full(ground.cover.shape, -1, dtype=np.int32)
        ground.take(road & ~bridge, Cover.BARE, year, Style.SITE, mark)

    def _plans(self, sites: NDArray[np.int64], rng: np.random.Generator) -> list[tuple[int, int]]:
        """Later roads: from any town, or any place on the rim, to a place on the rim."""
        rows, cols = self._site.frame.cell_shape
        margin = self._site.frame.margin
        plans = []
        for _ in range(12):
            ends = []
            for _ in range(2):
                side, part = int(rng.integers(4)), float(rng.uniform(0.15, 0.85))
                y = (margin - 3, rows - margin + 2, part * rows, part * rows)[side]
                x = (part * cols, part * cols, margin - 3, cols - margin + 2)[side]
                ends.append(int(y) * cols + int(x))
            start = ends[0] if rng.random() < 0.5 else int(rng.choice(sites))
            plans.append((start, ends[1]))
        return plans
