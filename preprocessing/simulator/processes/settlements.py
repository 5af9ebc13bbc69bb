"""Towns that grow tract by tract: at their rim, along roads, in leaps, each in its own style."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.processes.ground import LONG_AGO, Ground, Style
from preprocessing.simulator.processes.network import Network
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.streets import Plan, plan_town
from preprocessing.simulator.processes.units import Units
from preprocessing.simulator.seeds import hash_unit

__all__ = ["Settlements"]

_STEEPEST = 0.16
_ROUNDS = 6


class Settlements:
    """Built-up ground.

    Attributes:
        plans: Town plan of each style that occurs.
    """

    def __init__(
        self,
        site: Site,
        ground: Ground,
        network: Network,
        *,
        styles: tuple[Style, ...],
        rate: float,
        sheds: float,
        even: bool,
    ) -> None:
        """Found the towns.

        Args:
            site: Where.
            ground: The land.
            network: Where towns lie and roads run.
            styles: Of the old core and of what is built later; one or two.
            rate: Part of the built-up ground that is added in a usual year.
            sheds: Part of the tracts near main roads that become industry.
            even: Whether all towns are of much the same size rather than one large.
        """
        rng = site.rng("settlements")
        self._site = site
        self._pace = site.pace("settlements")
        self._rate, self._sheds = rate, sheds
        angle = float(rng.uniform(-0.1, 0.1) if rng.random() < 0.5 else rng.uniform(0, 1.5))
        self._core, self._later = styles[0], styles[-1]
        kinds = dict.fromkeys((*styles, Style.SHEDS))
        self.plans: dict[Style, Plan] = {kind: plan_town(site, kind, angle) for kind in kinds}
        self._units = Units(self.plans[self._later].tract)
        units = self._units
        centres = network.towns
        distance, self._town = cKDTree(centres).query(np.stack([units.x, units.y], axis=1))
        rank = 1.0 / (1.0 + np.arange(len(centres))) ** (0.3 if even else 1.3)
        self._goal = site.region.town_share * site.area_px * rank / rank.sum()
        self._keen = rng.uniform(0.3, 1.7, len(centres)) * rng.permutation(
            np.where(np.arange(len(centres)) % 3 == 2, 0.2, 1.0)
        )
        self._owed = np.zeros(len(centres))
        self._slope = units.at(site.terrain.slope)
        self._distance = distance
        # Wishes of owners: larger than a tract, so that several neighbours are built together.
        self._estate = (units.y // site.px(500.0, least=14.0)).astype(np.int64) * 10_007
        self._estate += (units.x // site.px(500.0, least=14.0)).astype(np.int64)
        leap = site.px(450.0, least=10.0)
        for turn in range(_ROUNDS):
            budget = self._goal * (turn + 1) / _ROUNDS - self._areas(ground)
            self._grow(ground, budget, LONG_AGO + 8 * turn, leap, core=turn < _ROUNDS - 2)
        self._leap = leap * float(rng.uniform(0.5, 2.0))

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass."""
        self._owed += self._areas(ground) * self._rate * self._keen * self._pace.at(year)
        self._owed = self._grow(ground, self._owed, year, self._leap, core=False)

    def _areas(self, ground: Ground) -> NDArray[np.float64]:
        built = self._units.mean(ground.has(Cover.BUILT_UP)) * self._units.size
        return np.asarray(np.bincount(self._town, built, len(self._goal)))

    def _grow(
        self, ground: Ground, budget: NDArray[np.float64], year: int, reach_px: float, *, core: bool
    ) -> NDArray[np.float64]:
        units = self._units
        built, road = ground.has(Cover.BUILT_UP), ground.has(Cover.ROAD)
        building = road | (ground.has(Cover.BARE) & (ground.unit == -1))
        free = ground.free & (self._site.terrain.slope < _STEEPEST)
        room = units.mean(free)
        taken = units.mean(built)
        away = units.at(distance_to(built)) if built.any() else self._distance
        off_road = units.at(distance_to(building))
        whim = hash_unit(self._estate, self._site.config.seed * 1009 + max(year, -1) // 3 + 300)
        own = hash_unit(np.arange(units.count), self._site.config.seed * 1013 + year + 90)
        score = -away / reach_px - 0.8 * np.minimum(off_road / (2.5 * reach_px), 2.0)
        score = score - self._slope / 0.05 + 1.4 * whim + 0.9 * own
        if core:
            score = score - 2.0 * self._distance / (3 * reach_px)
        fit = (room > 0.55) & (taken < 0.3) & (away < 2.0 * reach_px)
        if not built.any():
            fit |= (self._distance < 1.5 * reach_px) & (room > 0.3)
        left = budget.copy()
        for town, amount in enumerate(budget.tolist()):
            wish = np.where(fit & (self._town == town), score, -np.inf)
            if amount > 0:
                chosen, left[town] = units.best(wish, room, amount)
                self._build(ground, units.where(chosen) & free, year, off_road, core=core)
        return left

    def _build(
        self,
        ground: Ground,
        where: NDArray[np.bool_],
        year: int,
        off_road: NDArray[np.float64],
        *,
        core: bool,
    ) -> None:
        """Most tracts become housing; some by the roads industry, a few parks."""
        units, seed = self._units, self._site.config.seed
        lottery = hash_unit(np.arange(units.count), seed + 17)
        estate = hash_unit(self._estate, seed + 18)
        near = off_road < self._site.px(350.0, least=9.0)
        shed = near & (estate < self._sheds) & (not core)
        park = (lottery < 0.05) & ~shed
        housing = self._core if core else self._later
        style = np.where(shed, Style.SHEDS, np.where(park, Style.PARK, housing)).astype(np.uint8)
        wide = style[units.label]
        for kind in np.unique(style[np.unique(units.label[where])] if where.any() else style[:0]):
            ground.take(where & (wide == kind), Cover.BUILT_UP, year, Style(int(kind)), units.label)
