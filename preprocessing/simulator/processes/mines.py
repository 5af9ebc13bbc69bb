"""Mines and quarries: pits that widen or move on, dumps beside and behind them, ponds within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.processes.ground import LONG_AGO, Ground, Style
from preprocessing.simulator.processes.pace import Pace
from preprocessing.simulator.processes.site import Site

__all__ = ["Mines"]


@dataclass(frozen=True)
class _Mine:
    """One mine; lengths in fine pixels.

    Attributes:
        along: `(h, w)` warped coordinate in the direction in which the pit moves.
        across: `(h, w)` across it.
        size: Typical radius.
        moving: Whether the pit moves on (a strip mine) rather than widens.
        opened: Year (index) in which it opens.
        pond: Whether water collects in it.
        dump: Direction of the dump, radians from `along`.
    """

    along: NDArray[np.float32]
    across: NDArray[np.float32]
    size: float
    moving: bool
    opened: int
    pond: bool
    dump: float


class Mines:
    """Pits and dumps; the number of a pit is its unit."""

    def __init__(self, site: Site, ground: Ground, *, count: int, size_m: float) -> None:
        """Open mines.

        Args:
            site: Where.
            ground: The land.
            count: Number of mines.
            size_m: Typical radius after ten years.
        """
        rng = site.rng("mines")
        self._mines: list[_Mine] = []
        self._paces: list[Pace] = []
        height, width = site.shape
        size = min(site.px(size_m, least=12.0), 0.1 * min(height, width))
        row, col = np.indices(site.shape, dtype=np.float32)
        inner = np.zeros(site.shape, dtype=bool)
        inner[height // 8 : -height // 8, width // 8 : -width // 8] = True
        fit = np.flatnonzero((ground.free & ~ground.has(Cover.ROAD) & inner)[::8, ::8])
        for number in range(count if len(fit) else 0):
            y, x = divmod(int(rng.choice(fit)), ground.cover[::8, ::8].shape[1])
            own = size * float(np.exp(rng.normal(0.0, 0.35)))
            angle = float(rng.uniform(0, 2 * np.pi))
            wave = {"largest_px": 1.6 * own, "smallest_px": max(3.0, own / 2.5)}
            dy = col - x * 8 + 0.22 * own * site.noise(f"mine x {number}", **wave)
            dx = row - y * 8 + 0.22 * own * site.noise(f"mine y {number}", **wave)
            cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
            long = float(rng.uniform(1.0, 1.9))
            self._mines.append(
                _Mine(
                    (dy * cos + dx * sin) / np.float32(long),
                    dx * cos - dy * sin,
                    own,
                    bool(rng.random() < 0.45),
                    int(rng.integers(1, 6)) if rng.random() < 0.35 else -15,
                    bool(rng.random() < 0.5),
                    float(rng.choice([-1.0, 1.0]) * rng.uniform(1.2, 2.6)),
                )
            )
            self._paces.append(site.pace(f"mine {number}"))
        self._work = [0.0] * len(self._mines)
        for number, mine in enumerate(self._mines):
            if mine.opened < 0:
                self._work[number] = float(rng.uniform(0.3, 1.2))
                self._dig(ground, number, LONG_AGO // 4)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass."""
        for number, mine in enumerate(self._mines):
            if year >= mine.opened:
                first = 0.12 if self._work[number] == 0 else 0.0
                self._work[number] += first + 0.07 * self._paces[number].at(year)
                self._dig(ground, number, year)

    def _dig(self, ground: Ground, number: int, year: int) -> None:
        mine, work = self._mines[number], self._work[number]
        free = ground.free | ground.has(Cover.MINE, Cover.ROAD)
        free |= ground.has(Cover.WATER, style=Style.POND)
        unit = np.full(ground.cover.shape, number + 1, dtype=np.int32)
        if mine.moving:
            front = mine.size * (2.4 * work - 0.9)
            wide = np.abs(mine.across) < 0.8 * mine.size * min(1.0, 0.4 + work)
            worked = wide & (mine.along < front) & (mine.along > -0.9 * mine.size)
            pit = worked & (mine.along > front - 0.55 * mine.size)
            dump = worked & ~pit
        else:
            # The area grows steadily, so the radius grows with the root of the work done.
            radius = mine.size * np.sqrt(work)
            pit = np.hypot(mine.along, mine.across) < radius
            far = 0.62 * mine.size * np.sqrt(work) + 0.75 * radius
            dump = (
                np.hypot(
                    mine.along - far * np.cos(mine.dump), mine.across - far * np.sin(mine.dump)
                )
                < 0.62 * radius
            )
            dump &= ~pit
        ground.take(
            pit & free & ~ground.has(Cover.MINE, style=Style.PIT), Cover.MINE, year, Style.PIT, unit
        )
        fresh = dump & free & ~ground.has(Cover.MINE, style=Style.DUMP)
        if mine.moving and year >= 0:
            fresh &= ground.style == Style.PIT
        ground.take(fresh, Cover.MINE, year, Style.DUMP, unit)
        if mine.pond:
            deep = pit & (np.hypot(mine.along, mine.across) < 0.2 * mine.size)
            if mine.moving:
                behind = mine.along - (mine.size * (2.4 * work - 1.35))
                deep = worked & (np.hypot(behind, mine.across) < 0.13 * mine.size)
            water = ground.has(Cover.WATER, style=Style.POND) & (ground.unit == unit)
            ground.take(water & ~deep, Cover.MINE, year, Style.PIT, unit)
            ground.take(deep & free & ~water, Cover.WATER, year, Style.POND, unit)
