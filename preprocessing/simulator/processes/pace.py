"""How fast a process goes each year: growth that speeds up, slows, stops or comes in waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from preprocessing.simulator.config import Growth
from preprocessing.simulator.seeds import generator

__all__ = ["Pace"]

_SCATTER = 0.3


@dataclass(frozen=True)
class Pace:
    """The pace of one process; 1 is its usual one.

    Attributes:
        growth: How it develops.
        turn: Year (index) in which it speeds up, slows or stops.
        period: Years from wave to wave.
        seed: Seed of the world.
        process: Name of the process, for its random stream.
    """

    growth: Growth
    turn: float
    period: float
    seed: int
    process: str

    @classmethod
    def draw(cls, seed: int, process: str, growth: Growth) -> Pace:
        """The pace of a process of a world."""
        rng = generator(seed, f"pace {process}")
        return cls(
            growth, float(rng.uniform(3.0, 9.0)), float(rng.uniform(5.0, 9.0)), seed, process
        )

    def at(self, year: int) -> float:
        """Factor for a year (index), 0 or more."""
        late = 1.0 / (1.0 + np.exp(-(year - self.turn) / 1.2))
        if self.growth == "rising":
            factor = 0.15 + 2.2 * late
        elif self.growth == "slowing":
            factor = 2.0 - 1.9 * late
        elif self.growth == "stopping":
            factor = 1.7 if year < self.turn else 0.0
        elif self.growth == "waves":
            factor = 2.2 if (year + self.turn) % self.period < 0.42 * self.period else 0.1
        else:
            factor = 1.0
        noise = generator(self.seed, f"pace {self.process}", year + 1).normal(0.0, _SCATTER)
        return float(factor * np.exp(noise))
