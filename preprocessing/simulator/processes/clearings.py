"""Blocks of land that are put to another use: forest to pasture, scrub to fields, trees felled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.processes.ground import LONG_AGO, Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.units import Units
from preprocessing.simulator.seeds import hash_unit

__all__ = ["Change", "Conversion", "Harvest"]


@dataclass(frozen=True)
class Change:
    """What a conversion does.

    Attributes:
        name: Name of the process.
        sources: Covers that are converted.
        cover: What they become.
        style: Its kind.
        felled: Whether the ground lies bare as a clearing for a year before.
        rate: Part of the ground that it could take which it takes in a usual year.
        begun: Part of that ground which is already taken in the first year.
        spread: How much the nearness of what is there already counts.
        roads: How much the nearness of roads counts.
        reach_m: How far that nearness reaches.
        steepest: Slope above which nothing is converted.
        abandoned: Part of what was taken that is given up to regrowth each year.
        rim: Whether a line of the old cover stays around each block.
    """

    name: str
    sources: tuple[Cover, ...]
    cover: Cover
    style: Style
    felled: bool
    rate: float
    begun: float = 0.0
    spread: float = 1.0
    roads: float = 0.5
    reach_m: float = 1000.0
    steepest: float = 1.0
    abandoned: float = 0.0
    rim: bool = False


class Conversion:
    """Converts land unit by unit."""

    def __init__(self, site: Site, ground: Ground, units: Units, change: Change) -> None:
        self._site, self._units, self._change = site, units, change
        self._pace = site.pace(change.name)
        self._owed = 0.0
        self._whim = site.config.seed * 1021 + sum(change.name.encode())
        self._steep = units.mean(site.terrain.slope > change.steepest)
        self._keep = np.zeros(site.shape, dtype=bool)
        if change.rim:
            label = units.label
            self._keep[:, 1:] |= label[:, 1:] != label[:, :-1]
            self._keep[1:] |= label[1:] != label[:-1]
            self._keep &= hash_unit(label, self._whim + 3) < 0.6
        self._apart = site.noise(
            change.name, largest_px=site.px(change.reach_m * 3, least=40.0), slope=2.0
        )
        source = self._source(ground)
        self._whole = float(source.sum())
        rounds = 5 if change.begun > 0 else 0
        for turn in range(rounds):
            self._owed += self._whole * change.begun / rounds
            self._convert(ground, LONG_AGO + 7 * turn)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass."""
        change = self._change
        if change.felled:
            done = ground.has(Cover.CLEARCUT, style=change.style)
            self._settle(ground, done & (ground.since < year), year)
        if change.abandoned > 0:
            old = ground.has(change.cover, style=change.style)
            lot = hash_unit(self._units.label, self._whim + 5 * year + 7)
            ground.take(old & (lot < change.abandoned), Cover.CLEARCUT, year, Style.WILD)
        self._owed += self._whole * change.rate * self._pace.at(year)
        self._convert(ground, year)

    def _source(self, ground: Ground) -> NDArray[np.bool_]:
        source = ground.has(*self._change.sources) & ground.free & ~self._keep
        if self._change.style == Style.FIELD:
            source &= ground.style != Style.FIELD
        return np.asarray(source & (ground.style != Style.SITE))

    def _convert(self, ground: Ground, year: int) -> None:
        units, change = self._units, self._change
        if self._owed <= 0:
            return
        source = self._source(ground)
        room = units.mean(source)
        mine = ground.has(change.cover, Cover.CLEARCUT, style=change.style)
        reach = self._site.px(change.reach_m, least=12.0)
        near = np.exp(-units.at(distance_to(mine)) / reach)
        road = np.exp(-units.at(distance_to(ground.has(Cover.ROAD))) / reach)
        whim = hash_unit(np.arange(units.count), self._whim + 31 * max(year, -1))
        score = change.spread * 2 * near + change.roads * 2 * road + 0.9 * whim
        score = score + 0.35 * units.at(self._apart)
        fit = (room > 0.4) & (self._steep < 0.4)
        chosen, self._owed = units.best(np.where(fit, score, -np.inf), room, self._owed)
        where = units.where(chosen) & source
        if change.felled and year >= 0:
            ground.take(where, Cover.CLEARCUT, year, change.style, units.label)
        else:
            self._settle(ground, where, year)

    def _settle(self, ground: Ground, where: NDArray[np.bool_], year: int) -> None:
        change = self._change
        ground.take(where, change.cover, year, change.style, self._units.label)


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
        cut = ground.has(Cover.CLEARCUT, style=Style.GROVE)
        planted = cut & (ground.since < year)
        ground.take(planted, Cover.PLANTATION, year, Style.GROVE, self._units.label)
        whim = hash_unit(self._units.label, self._seed + 24 + 13 * year) < 0.35
        ripe = (ground.cover == Cover.PLANTATION) & (year - ground.since >= self.years)
        ground.take(ripe & whim, Cover.CLEARCUT, year, Style.GROVE, self._units.label)
