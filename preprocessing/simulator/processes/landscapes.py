"""The composed landscapes: which processes each is made of, and the land year after year."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.objects.ponds import Ponds
from preprocessing.simulator.processes.clearings import Change, Conversion, Harvest
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.mines import Mines
from preprocessing.simulator.processes.network import Network
from preprocessing.simulator.processes.pivots import Pivots
from preprocessing.simulator.processes.settlements import Settlements
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.solar import SolarParks
from preprocessing.simulator.processes.start import Farmland, first_ground
from preprocessing.simulator.processes.streets import Plan
from preprocessing.simulator.processes.succession import Succession
from preprocessing.simulator.processes.units import Units, rectangles, turned
from preprocessing.simulator.processes.waters.braids import Braids
from preprocessing.simulator.processes.waters.coast import Coast
from preprocessing.simulator.processes.waters.lake import Lake
from preprocessing.simulator.processes.waters.meanders import Meanders

__all__ = ["Moment", "Process", "Story"]

_WILD = (Cover.GRASS, Cover.BARE)
_TREES = (Cover.FOREST, Cover.YOUNG_FOREST)


class Process(Protocol):
    """Something that changes the ground."""

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass."""


@dataclass(frozen=True)
class Moment:
    """The land of one year on fine pixels; all arrays `(h, w)`.

    Attributes:
        year: Index of the year.
        cover: uint8 codes of `Cover`.
        since: int16 year (index) since which it has this cover.
        style: uint8 codes of `Style`.
        unit: int32 piece it belongs to.
        owner: int32 field.
        crop: int8 crop of the field.
    """

    year: int
    cover: NDArray[np.uint8]
    since: NDArray[np.int16]
    style: NDArray[np.uint8]
    unit: NDArray[np.int32]
    owner: NDArray[np.int32]
    crop: NDArray[np.int8]


class Story:
    """A composed world: its site, its processes, and what they make of the land.

    Attributes:
        site: Where it takes place.
        plans: The town plans that the renderer needs.
        processes: In the order in which they act each year.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ground = first_ground(site)
        self._farmland = Farmland(site)
        self.processes: list[Process] = []
        self.plans: dict[Style, Plan] = {}
        self._rng = site.rng("landscape")
        self._waters()
        self._works()
        self.processes += [self._farmland, Succession(site)]
        for process in self.processes[-2:]:
            process.step(self.ground, 0)

    def years(self) -> Iterator[Moment]:
        """The land of each year; what is yielded is not changed later."""
        ground, label = self.ground, self.site.parcels.label
        fields = self._farmland.fields
        for year in range(self.site.config.years):
            if year > 0:
                for process in self.processes:
                    process.step(ground, year)
            yield Moment(
                year,
                ground.cover.copy(),
                ground.since.copy(),
                ground.style.copy(),
                ground.unit.copy(),
                fields.owner[label],
                fields.crop[fields.owner][label],
            )

    def _chance(self, share: float) -> bool:
        return bool(self._rng.random() < share)

    def _between(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))

    def _waters(self) -> None:
        """Sea, reservoir, river, ponds, in this order: what comes first keeps its ground."""
        site, ground = self.site, self.ground
        landscape, climate = site.config.landscape, site.config.climate
        if landscape == "coast":
            self.processes.append(Coast(site, ground, reclaiming=self._between(-0.1, 0.45)))
        if landscape == "reservoir" or (landscape in ("villages", "mining") and self._chance(0.25)):
            self.processes.append(Lake(site, ground, whole=landscape == "reservoir"))
        dry = climate == "desert" and landscape not in ("river", "reservoir")
        if landscape == "river" and self._chance(0.5):
            self.processes.append(Braids(site, ground))
        elif landscape in ("river", "reservoir") or (not dry and self._chance(0.45)):
            quick = 55.0 if landscape == "river" else 4.0
            speed = quick * float(np.exp(self._rng.normal(0.0, 0.4)))
            self.processes.append(Meanders(site, ground, metres_a_year=speed))
        if site.region.pond_share > 0:
            self.processes.append(_Pools(Ponds(site.setting, ground.has(Cover.WATER)), ground))

    def _works(self) -> None:
        """Roads and towns, then what people dig, clear, plant and build."""
        landscape, climate = self.site.config.landscape, self.site.config.climate
        self._settle()
        if landscape == "mining" or self._chance(0.15):
            count = int(self._rng.integers(1, 4)) if landscape == "mining" else 1
            size = self._between(500.0, 2500.0) if landscape == "mining" else 250.0
            self.processes.append(Mines(self.site, self.ground, count=count, size_m=size))
        if landscape == "irrigation" or (climate == "desert" and self._chance(0.15)):
            self._irrigate()
        if landscape in ("frontier", "river") or (landscape == "mining" and climate == "tropical"):
            self._clear()
        if landscape == "plantation" or (climate == "tropical" and self._chance(0.2)):
            self._plant()
        if climate in ("temperate", "northern") and self.site.region.forest_share > 0.2:
            self._fell()
        if landscape in ("irrigation", "villages") or self._chance(0.25):
            units = self._blocks("solar", 220.0, 160.0, least=5.0)
            if climate != "desert" and self.site.config.gsd_m < 25:
                units = Units(self.site.parcels.label)
            rate = self._between(0.08, 0.45)
            size = float(np.exp(self._between(np.log(5e4), np.log(3e6))))
            self.processes.append(SolarParks(self.site, units, begun_a_year=rate, park_m2=size))

    def _settle(self) -> None:
        landscape = self.site.config.landscape
        rate, sheds, roads = self._between(0.01, 0.04), 0.1, self._between(0.0, 0.15)
        styles: tuple[Style, ...] = (Style.VILLAGE,)
        if landscape == "city":
            rate, sheds, roads = self._between(0.02, 0.09), 0.2, self._between(0.0, 0.4)
            styles = (Style.GRID,) if self._chance(0.5) else (Style.GRID, Style.SUBURB)
        elif landscape in ("suburbs", "coast"):
            rate, sheds, roads = self._between(0.02, 0.08), 0.3, self._between(0.05, 0.4)
            styles = (Style.VILLAGE, Style.SUBURB) if self._chance(0.7) else (Style.GRID,)
        elif self._chance(0.3):
            styles = (Style.GRID,)
        network = Network(self.site, self.ground, new_roads=roads)
        towns = Settlements(
            self.site,
            self.ground,
            network,
            styles=styles,
            rate=rate,
            sheds=sheds,
            even=landscape in ("suburbs", "villages", "coast"),
        )
        self.plans = towns.plans
        self.processes += [network, towns]

    def _blocks(self, name: str, length_m: float, width_m: float, *, least: float) -> Units:
        """Rectangles in one direction, a little bent."""
        site, rng = self.site, self.site.rng(f"blocks {name}")
        along, across = turned(
            site.shape,
            float(rng.uniform(0.0, np.pi)),
            rng=rng,
            bend_px=1.5,
            wave_px=80.0,
        )
        length = site.px(length_m, least=1.4 * least)
        return Units(rectangles(along, across, length=length, width=site.px(width_m, least=least)))

    def _convert(self, units: Units, change: Change) -> None:
        self.processes.append(Conversion(self.site, self.ground, units, change))

    def _irrigate(self) -> None:
        """Pivots, or parcel by parcel from dry land to fields."""
        if self._chance(0.65):
            begun, rate = self._between(0.0, 0.2), self._between(0.004, 0.025)
            self.processes.append(Pivots(self.site, self.ground, begun=begun, rate=rate))
        if self._chance(0.5):
            units = Units(self.site.parcels.label)
            change = Change(
                "irrigation",
                _WILD,
                Cover.CROPLAND,
                Style.FIELD,
                False,
                rate=self._between(0.005, 0.03),
                reach_m=1500.0,
                steepest=0.06,
            )
            self._convert(units, change)

    def _clear(self) -> None:
        """Forest to pasture or fields: large blocks, or a fishbone of lots along tracks."""
        style = Cover.GRASS if self._chance(0.6) else Cover.CROPLAND
        rate, begun = self._between(0.006, 0.035), self._between(0.0, 0.35)
        clearing = partial(
            Change, "clearing", _TREES, style, Style.BLOCK, True, rate=rate, begun=begun
        )
        if self._chance(0.5):
            length, width = self._between(600.0, 2500.0), self._between(300.0, 900.0)
            units = self._blocks("clearings", length, width, least=9.0)
            given_up = self._between(0.0, 0.01)
            change = clearing(spread=1.3, roads=0.3, reach_m=1500.0, abandoned=given_up, rim=True)
        else:
            units = self._blocks("clearings", self._between(300.0, 900.0), 250.0, least=5.0)
            if self._chance(0.6):
                units = Units(self.site.parcels.label)
            given_up = self._between(0.0, 0.03)
            change = clearing(spread=0.7, roads=1.6, reach_m=700.0, abandoned=given_up)
        self._convert(units, change)

    def _plant(self) -> None:
        units = self._blocks("plantation", self._between(500.0, 1200.0), 400.0, least=7.0)
        sources = (*_TREES, Cover.GRASS) if self._chance(0.6) else (Cover.GRASS, Cover.CROPLAND)
        change = Change(
            "plantation",
            sources,
            Cover.PLANTATION,
            Style.GROVE,
            False,
            rate=self._between(0.01, 0.04),
            begun=self._between(0.05, 0.4),
            spread=1.2,
            roads=0.4,
            reach_m=1800.0,
            steepest=0.2,
        )
        self._convert(units, change)
        self.processes.append(Harvest(self.site, self.ground, units))

    def _fell(self) -> None:
        """Clear-cuts in a managed forest, which grow back."""
        units = self._blocks("felling", self._between(250.0, 600.0), 220.0, least=6.0)
        change = Change(
            "felling",
            (Cover.FOREST,),
            Cover.CLEARCUT,
            Style.WILD,
            False,
            rate=self._between(0.004, 0.02),
            spread=0.0,
            roads=0.2,
            reach_m=800.0,
        )
        self._convert(units, change)


class _Pools:
    """Ponds of the first landscapes."""

    def __init__(self, ponds: Ponds, ground: Ground) -> None:
        self._ponds = ponds
        self.step(ground, 0)

    def step(self, ground: Ground, year: int) -> None:
        wet = self._ponds.water(year) & ~ground.has(Cover.BUILT_UP, Cover.ROAD, Cover.MINE)
        before = ground.has(Cover.WATER, style=Style.POND) & (ground.unit == 0)
        ground.take(before & ~wet, Cover.GRASS, year, Style.BAR)
        ground.take(wet & (ground.cover != Cover.WATER), Cover.WATER, year, Style.POND)
