"""The character of a region in the composed landscapes, drawn once per world."""

from __future__ import annotations

import math
from dataclasses import replace

from preprocessing.simulator.config import Climate, Landscape, Region, WorldConfig
from preprocessing.simulator.seeds import generator

__all__ = ["draw_region", "farmed_share", "landform_scale"]

_FOREST: dict[Climate, tuple[float, float]] = {
    "temperate": (0.08, 0.4),
    "desert": (0.0, 0.004),
    "mediterranean": (0.04, 0.3),
    "tropical": (0.25, 0.75),
    "northern": (0.45, 0.85),
}
_FARMED: dict[Climate, tuple[float, float]] = {
    "temperate": (0.85, 1.0),
    "desert": (0.0, 0.12),
    "mediterranean": (0.4, 0.9),
    "tropical": (0.3, 0.9),
    "northern": (0.1, 0.5),
}
_WOODED: dict[Landscape, tuple[float, float]] = {
    "frontier": (0.72, 0.97),
    "plantation": (0.45, 0.85),
    "river": (0.3, 0.9),
}
_TOWNS: dict[Landscape, tuple[float, float]] = {
    "city": (0.12, 0.4),
    "suburbs": (0.06, 0.2),
    "villages": (0.02, 0.07),
    "coast": (0.02, 0.12),
    "mining": (0.0, 0.02),
}


def draw_region(config: WorldConfig) -> Region:
    """The region of a composed landscape; lengths are those of 10 m per pixel."""
    rng = generator(config.seed, "character")
    base = Region.draw(config.seed)
    climate, landscape = config.climate, config.landscape
    forest = float(rng.uniform(*_FOREST[climate]))
    if climate != "desert" and landscape in _WOODED:
        forest = float(rng.uniform(*_WOODED[landscape]))
    if landscape in ("city", "irrigation"):
        forest *= 0.4
    lowest, highest = _TOWNS.get(landscape, (0.002, 0.02))
    town = math.exp(rng.uniform(math.log(max(lowest, 5e-4)), math.log(highest)))
    rugged = landscape in ("reservoir", "mining") or (
        landscape in ("plantation", "frontier") and rng.random() < 0.4
    )
    relief = float(rng.uniform(200.0, 750.0) if rugged else rng.uniform(15.0, 110.0))
    dryness = {"desert": 0.95, "mediterranean": 0.7, "temperate": 0.3}.get(climate, 0.1)
    return replace(
        base,
        relief_m=relief,
        forest_share=forest,
        dryness=min(1.0, max(0.0, dryness + float(rng.uniform(-0.2, 0.2)))),
        redness=float(rng.uniform(0.5, 1.0) if climate == "tropical" else rng.uniform(0.0, 1.0)),
        conifers={"northern": 0.85, "temperate": base.conifers}.get(climate, 0.15),
        town_share=town,
        pond_share=(
            max(0.0, float(rng.uniform(-0.03, 0.09)))
            if climate == "northern"
            else max(0.0, float(rng.uniform(-0.05, 0.02)))
        )
        * (climate != "desert"),
        arable_share=float(rng.uniform(0.15, 0.6) if climate == "tropical" else base.arable_share),
        rotation=float(rng.uniform(0.1, 0.5)),
    )


def farmed_share(config: WorldConfig) -> float:
    """Part of the land that is divided into fields; the rest is wild."""
    rng = generator(config.seed, "farmed")
    share = float(rng.uniform(*_FARMED[config.climate]))
    if config.landscape == "irrigation":
        share = max(share, float(rng.uniform(0.05, 0.4)))
    if config.landscape in ("mining", "reservoir"):
        share *= float(rng.uniform(0.2, 0.9))
    return share


def landform_scale(config: WorldConfig, process: str, power: float) -> float:
    """How many times larger landforms or fields are than at 10 m per pixel."""
    spread = math.exp(generator(config.seed, f"scale {process}").normal(0.0, 0.2))
    return float((config.gsd_m / 10.0) ** power * spread)
