"""What grows by itself: bars and shores turn green, clearings close, pits are left to grass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.config import Climate
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.site import Site

__all__ = ["CLOSED_YEARS", "Succession"]

CLOSED_YEARS = 13
_CLEARCUT_YEARS = 2
# Years until sand is green, and until trees stand on it; never in the desert.
_GREEN: dict[Climate, tuple[int, int]] = {
    "temperate": (4, 9),
    "desert": (9999, 9999),
    "mediterranean": (6, 9999),
    "tropical": (3, 7),
    "northern": (5, 12),
}


class Succession:
    """The slow return of vegetation; some pixels are faster than others."""

    def __init__(self, site: Site) -> None:
        self._green, self._trees = _GREEN[site.config.climate]
        late = 1.6 * site.noise("succession", largest_px=40.0, slope=1.2)
        # Dumps turn green patch by patch, the last of them after decades.
        patch = site.noise("dumps", largest_px=60.0, slope=2.0)
        self._dumps = np.clip(self._green + 14 + 10 * patch, 6, 9999).astype(np.int16)
        self._late = np.rint(np.clip(late, -2.0, 4.0)).astype(np.int16)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass."""
        age = year - ground.since - self._late
        sand = ground.has(Cover.BARE) & np.isin(ground.style, (Style.BAR, Style.SHORE))
        ground.take(sand & (age >= self._green), Cover.GRASS, year, Style.BAR)
        bar = ground.has(Cover.GRASS, style=Style.BAR)
        bar &= age >= self._trees - self._green
        self._regrow(ground, bar, year, 0)
        clear = (ground.cover == Cover.CLEARCUT) & (year - ground.since >= _CLEARCUT_YEARS)
        self._regrow(ground, clear, year, _CLEARCUT_YEARS)
        young = (ground.cover == Cover.YOUNG_FOREST) & (year - ground.since >= CLOSED_YEARS)
        since = ground.since.copy()
        ground.take(young, Cover.FOREST, year)
        # The age of a stand is counted from its felling.
        ground.since[young] = since[young]
        dump = ground.has(Cover.MINE, style=Style.DUMP)
        dump &= year - ground.since >= self._dumps
        ground.take(dump, Cover.GRASS, year, Style.WILD)

    def _regrow(self, ground: Ground, where: NDArray[np.bool_], year: int, age: int) -> None:
        ground.take(where, Cover.YOUNG_FOREST, year - age)
