"""Solar parks: a few neighbouring parcels are covered with panels within a year or two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.units import Units
from preprocessing.simulator.seeds import hash_unit

__all__ = ["SolarParks"]

_FLAT = 0.08


class SolarParks:
    """Parks begin now and then, and are finished the year after."""

    def __init__(self, site: Site, units: Units, *, begun_a_year: float, park_m2: float) -> None:
        """Plan.

        Args:
            site: Where.
            units: Pieces of land that a park consists of.
            begun_a_year: Parks begun in a usual year.
            park_m2: Typical area of a park.
        """
        self._site, self._units = site, units
        self._pace = site.pace("solar")
        self._rate, self._owed = begun_a_year, 0.5
        # A park is a dozen pixels at least, or it could not be seen.
        self._size_px = min(max(park_m2 / site.frame.fine_m**2, 400.0), 0.008 * site.area_px)
        self._flat = units.mean(site.terrain.slope < _FLAT)
        self._begun: list[tuple[int, float]] = []

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass: finish what was begun, begin new parks on open land."""
        rng = self._site.rng("solar", year)
        for unit, size in self._begun:
            self._cover(ground, unit, size, year)
        self._begun = []
        self._owed += self._rate * self._pace.at(year)
        while self._owed >= 1.0:
            self._owed -= 1.0
            fit = np.flatnonzero((self._room(ground) > 0.7) & (self._flat > 0.8))
            if len(fit) == 0:
                return
            size = self._size_px * float(np.exp(rng.normal(0.0, 0.6)))
            unit = int(rng.choice(fit))
            self._cover(ground, unit, 0.5 * size, year)
            self._begun.append((unit, 0.5 * size))

    def _room(self, ground: Ground) -> NDArray[np.float64]:
        open_land = ground.has(Cover.CROPLAND, Cover.GRASS, Cover.BARE) & (
            ground.style != Style.SITE
        )
        return self._units.mean(open_land)

    def _cover(self, ground: Ground, unit: int, size: float, year: int) -> None:
        units = self._units
        panels = ground.cover == Cover.SOLAR
        begun = panels & (units.label == unit)
        start = np.hypot(units.x - units.x[unit], units.y - units.y[unit])
        room = self._room(ground)
        near = units.at(distance_to(panels)) if begun.any() else start
        whim = hash_unit(np.arange(units.count), self._site.config.seed + 51)
        fit = (room > 0.5) & (start < 4.0 * np.sqrt(size) + np.sqrt(units.size))
        score = np.where(fit, -(start + near) * (0.8 + 0.4 * whim), -np.inf)
        score[unit] = 1.0 if room[unit] > 0.5 else -np.inf
        chosen, _ = units.best(score, room, size)
        free = ground.free & ~ground.has(Cover.FOREST, Cover.YOUNG_FOREST)
        ground.take(units.where(chosen) & free, Cover.SOLAR, year, Style.BLOCK, units.label)
