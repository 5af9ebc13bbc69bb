"""A meandering river in a composed landscape: bends move, cut off, and leave bars."""

from __future__ import annotations

import numpy as np

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.objects.river import River
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.waters.flooding import flood

__all__ = ["Meanders"]


class Meanders:
    """The main river; what people built holds its banks."""

    def __init__(self, site: Site, ground: Ground, *, metres_a_year: float) -> None:
        """Let it find its bed.

        Args:
            site: Where.
            ground: The land.
            metres_a_year: How fast a bend moves, at 10 m per pixel.
        """
        self._river = River(site.setting, bank_m_per_year=metres_a_year)
        self.step(ground, 0)
        river = self._river
        ground.take(river.sand & ground.free, Cover.BARE, -1, Style.BAR)
        ground.take(river.old_bed & ~river.sand & ground.free, Cover.GRASS, -8, Style.BAR)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass."""
        fixed = ground.has(Cover.BUILT_UP, Cover.ROAD, Cover.SOLAR)
        if year > 0:
            self._river.step(fixed)
        wet = self._river.water & ~fixed
        wet &= ~(ground.has(Cover.WATER) & (ground.style != Style.RIVER))
        flood(ground, np.asarray(wet), year, water=Style.RIVER, left=Style.BAR)
