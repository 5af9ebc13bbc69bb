"""Towns: they grow lot by lot, from their edges and along roads, on flat dry ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.objects.roads import Roads
from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.seeds import hash_unit

__all__ = ["STEEPEST", "Towns"]

STEEPEST = 0.14
_GROWTH = 0.04
_HISTORY_ROUNDS = 8
_NEVER = 9999


class Towns:
    """Built-up ground.

    Attributes:
        since: `(h, w)` int16 index of the year in which ground was built on; negative for what
            stood before the first year, 9999 for open ground.
    """

    def __init__(self, setting: Setting, roads: Roads, blocked: NDArray[np.bool_]) -> None:
        frame, terrain, parcels = setting.frame, setting.terrain, setting.parcels
        self._setting, self._frame = setting, frame
        self._lot = parcels.lot
        self._seed = setting.config.seed
        self._open = ~(roads.road | (terrain.slope > STEEPEST))
        count = int(parcels.lot.max()) + 1
        self._size = np.bincount(parcels.lot.ravel(), minlength=count)
        row, col = np.indices(frame.shape, dtype=np.float32)
        lots = parcels.lot.ravel()
        y = np.bincount(lots, row.ravel(), count) / self._size
        x = np.bincount(lots, col.ravel(), count) / self._size
        self._at = (np.rint(y).astype(int), np.rint(x).astype(int))
        self._town = cKDTree(roads.towns).query(np.stack([x, y], axis=1))[1]
        self._estate = parcels.label[self._at].astype(np.int64)
        off_road = distance_to(roads.road)
        self._road_m = off_road[self._at] * frame.fine_m
        self._slope = terrain.slope[self._at]
        towns = len(roads.towns)
        rank = 1.0 / (1.0 + np.arange(towns)) ** 0.9
        self._target = setting.region.town_share * frame.height * frame.width * rank / rank.sum()
        self._pace = setting.rng("towns").uniform(0.5, 1.5, towns)
        self.since = np.full(frame.shape, _NEVER, dtype=np.int16)
        middle = np.hypot(*(np.stack([x, y]) - roads.towns[self._town].T)) * frame.fine_m
        self._build(np.flatnonzero(middle < 110.0), -99, blocked)
        self._farm = np.zeros(count, dtype=bool)
        self._settle_farms(blocked)
        for turn in range(_HISTORY_ROUNDS):
            budget = self._target * (turn + 1) / _HISTORY_ROUNDS - self._areas()
            self._grow(budget, -60 + 6 * turn, blocked, reach_m=190.0)

    @property
    def built(self) -> NDArray[np.bool_]:
        """`(h, w)` bool, ground that is built on."""
        return np.asarray(self.since < _NEVER)

    def step(self, year: int, blocked: NDArray[np.bool_]) -> None:
        """Let a year pass.

        Args:
            year: Index of the year.
            blocked: `(h, w)` bool, ground that must not be built on: water and its banks, the
                floor of the reservoir.
        """
        rng = self._setting.rng("towns", year)
        pace = _GROWTH * self._pace * rng.uniform(0.5, 1.5, len(self._pace))
        self._grow(self._areas() * pace, year, blocked, reach_m=130.0)

    def _settle_farms(self, blocked: NDArray[np.bool_]) -> None:
        """Scatter single lots over the country, denser by the roads; they do not grow."""
        free = np.bincount(
            self._lot[self._open & ~blocked & ~self.built], minlength=len(self._size)
        )
        whim = hash_unit(np.arange(len(self._size)), self._seed * 1009 + 77)
        likely = 0.012 * np.exp(-self._road_m / 220.0) + 0.0022
        self._farm = (whim < likely) & (free > 0.9 * self._size) & (self._slope < 0.09)
        self._build(np.flatnonzero(self._farm), -99, blocked)

    def _areas(self) -> NDArray[np.float64]:
        lots = np.bincount(self._lot[self.built], minlength=len(self._size))
        return np.asarray(np.bincount(self._town, lots, len(self._pace)), dtype=np.float64)

    def _grow(
        self, budget: NDArray[np.float64], year: int, blocked: NDArray[np.bool_], reach_m: float
    ) -> None:
        built = self.built
        towns = built & ~self._farm[self._lot]
        away = distance_to(towns)
        away_m = away[self._at] * self._frame.fine_m
        count = len(self._size)
        taken = np.bincount(self._lot[built], minlength=count) / self._size
        free = self._open & ~blocked & ~built
        room = np.bincount(self._lot[free], minlength=count) / self._size
        whim = hash_unit(self._estate, self._seed * 1009 + year + 200)
        score = -away_m / 55.0 - self._road_m / 160.0 - self._slope / 0.04 + 2.2 * whim
        fit = (room > 0.55) & (taken < 0.2) & (away_m < reach_m)
        chosen: list[NDArray[np.int64]] = []
        for town, amount in enumerate(budget.tolist()):
            lots = np.flatnonzero(fit & (self._town == town))
            lots = lots[np.argsort(-score[lots], kind="stable")]
            area = np.cumsum(self._size[lots] * room[lots])
            chosen.append(lots[: int(np.searchsorted(area, amount))])
        self._build(np.concatenate(chosen), year, blocked)

    def _build(self, lots: NDArray[np.int64], year: int, blocked: NDArray[np.bool_]) -> None:
        new = np.zeros(len(self._size), dtype=bool)
        new[lots] = True
        ground = new[self._lot] & self._open & ~blocked & ~self.built
        self.since[ground] = year
