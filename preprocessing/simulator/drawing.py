"""Varied worlds for training: everything about a world drawn from its seed."""

from __future__ import annotations

import math

import numpy as np

from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.seeds import generator

__all__ = ["draw_config"]

_LANDSCAPES = {
    "city": 5,
    "suburbs": 3,
    "villages": 2,
    "frontier": 4,
    "mining": 3,
    "reservoir": 2,
    "irrigation": 2,
    "coast": 2,
    "river": 3,
    "plantation": 2,
}
_CLIMATES = {
    "city": {"desert": 4, "mediterranean": 2, "temperate": 3, "tropical": 2, "northern": 1},
    "frontier": {"tropical": 4, "temperate": 1, "northern": 1},
    "irrigation": {"desert": 4, "mediterranean": 2, "temperate": 1},
    "plantation": {"tropical": 3, "northern": 2, "temperate": 1, "mediterranean": 1},
    "reservoir": {"desert": 2, "mediterranean": 3, "temperate": 1, "tropical": 1},
    "river": {"tropical": 4, "temperate": 2, "northern": 1, "mediterranean": 1},
}
_ANY = {"temperate": 3, "desert": 2, "mediterranean": 2, "tropical": 2, "northern": 2}
_GROWTH = {"steady": 3, "rising": 2, "slowing": 2, "stopping": 2, "waves": 2}
_SENSOR = {"steady": 3, "changing": 5, "dithered": 2}


def draw_config(
    seed: int, *, height: int = 256, width: int = 256, years: int = 12, interval: int = 1
) -> WorldConfig:
    """The configuration of a varied world: landscape, climate, scale, growth, sensor, seasons.

    Args:
        seed: Seed of the world, from which all else is drawn.
        height: Rows.
        width: Columns.
        years: Years that pass.
        interval: Years from scene to scene.
    """
    rng = generator(seed, "draw")

    def pick(weights: dict[str, int]) -> str:
        share = np.array(list(weights.values()), dtype=float)
        return str(rng.choice(list(weights), p=share / share.sum()))

    landscape = pick(_LANDSCAPES)
    climate = pick(_CLIMATES.get(landscape, _ANY))
    # Half of the worlds at the 10 to 30 m of today's satellites, some finer, some much coarser.
    gsd = math.exp(rng.uniform(math.log(8.0), math.log(35.0)))
    kind = float(rng.random())
    if kind < 0.1:
        gsd = math.exp(rng.uniform(math.log(2.0), math.log(8.0)))
    elif kind > 0.6:
        gsd = math.exp(rng.uniform(math.log(35.0), math.log(200.0)))
    return WorldConfig(
        height=height,
        width=width,
        years=years,
        start_year=int(rng.integers(1984, 2022 - min(years, 37))),
        seed=seed,
        gsd_m=round(gsd, 1),
        landscape=landscape,  # type: ignore[arg-type]
        seasons=float(rng.uniform(0.1, 1.0)),
        interval=interval,
        climate=climate,  # type: ignore[arg-type]
        growth=pick(_GROWTH),  # type: ignore[arg-type]
        false_colour=bool(rng.random() < 0.35),
        sensor=pick(_SENSOR),  # type: ignore[arg-type]
    )
