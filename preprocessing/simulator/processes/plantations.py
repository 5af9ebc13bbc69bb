"""Plantations: planted block by block, grown up, harvested when ripe and planted again."""

from __future__ import annotations

import numpy as np

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.units import Units
from preprocessing.simulator.seeds import hash_unit

__all__ = ["Harvest"]


class Harvest:
    """The rotation of a plantation; where it spreads is a `Conversion`.

    Attributes:
        years: From planting to harvest, at least.
    """

    def __init__(self, site: Site, ground: Ground, units: Units) -> None:
        self._units, self._seed = units, site.config.seed
        self.years = int(site.rng("harvest").integers(7, 16))
        # What stands already is of all ages, block by block.
        old = ground.cover == Cover.PLANTATION
        age = (hash_unit(units.label, self._seed + 23) * self.years).astype(np.int16)
        ground.since[old] = -age[old]

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass: a third of the ripe blocks are cut, and planted anew a year later."""
        cut = (ground.cover == Cover.CLEARCUT) & (ground.style == Style.GROVE)
        planted = cut & (ground.since < year)
        ground.take(planted, Cover.PLANTATION, year, Style.GROVE, self._units.label)
        whim = hash_unit(self._units.label, self._seed + 24 + 13 * year) < 0.35
        ripe = (ground.cover == Cover.PLANTATION) & (year - ground.since >= self.years)
        ground.take(ripe & whim, Cover.CLEARCUT, year, Style.GROVE, self._units.label)
