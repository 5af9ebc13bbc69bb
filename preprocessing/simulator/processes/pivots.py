"""Centre-pivot fields: discs on a square grid, irrigated, spreading over dry land."""

from __future__ import annotations

import numpy as np

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.processes.ground import LONG_AGO, Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.units import Units, rectangles, turned
from preprocessing.simulator.seeds import hash_unit

__all__ = ["Pivots"]


class Pivots:
    """Discs of about 800 m that are drilled one beside the other."""

    def __init__(self, site: Site, ground: Ground, *, begun: float, rate: float) -> None:
        """Drill the first ones.

        Args:
            site: Where.
            ground: The land.
            begun: Part of the map under pivots in the first year.
            rate: Part of the map that is added in a usual year.
        """
        rng = site.rng("pivots")
        self._site, self._rate, self._owed = site, rate, 0.0
        self._pace = site.pace("pivots")
        side = site.px(float(rng.choice([400.0, 800.0, 800.0, 1000.0])), least=14.0)
        side = min(side, site.frame.width / 4)
        angle = float(rng.choice([0.0, 0.0, rng.uniform(0.0, 1.5)]))
        along, across = turned(site.shape, angle)
        self.units = Units(rectangles(along, across, length=side, width=side, staggered=False))
        away = np.hypot((along / side) % 1.0 - 0.5, (across / side) % 1.0 - 0.5)
        self._disc = np.asarray(away < 0.485)
        # Discs that the map cuts are allowed, discs that lack ground are not.
        self._wish = self.units.at(
            site.noise("pivots", largest_px=6 * side, smallest_px=side, slope=2.0)
        )
        self._wish = self._wish - self.units.mean(site.terrain.slope) / 0.04
        self._owed = begun * site.area_px
        self._drill(ground, LONG_AGO)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass; a few wells fall dry."""
        seed = self._site.config.seed
        dry = hash_unit(self.units.label, seed + 41 + 7 * year) < 0.008
        old = ground.has(Cover.CROPLAND, style=Style.PIVOT)
        ground.take(old & dry & (year - ground.since > 5), Cover.GRASS, year, Style.WILD)
        self._owed += self._rate * self._site.area_px * self._pace.at(year)
        self._drill(ground, year)

    def _drill(self, ground: Ground, year: int) -> None:
        units = self.units
        mine = ground.has(Cover.CROPLAND, style=Style.PIVOT)
        source = self._disc & ground.free & ~mine & ~ground.has(Cover.FOREST)
        room = units.mean(source)
        near = np.exp(-units.at(distance_to(mine)) / self._site.px(900.0, least=20.0))
        whim = hash_unit(np.arange(units.count), self._site.config.seed + 43 + 11 * max(year, -1))
        score = np.where(room > 0.7, 1.6 * near + 0.8 * self._wish + 0.8 * whim, -np.inf)
        chosen, self._owed = units.best(score, room, self._owed)
        ground.take(units.where(chosen) & source, Cover.CROPLAND, year, Style.PIVOT, units.label)
