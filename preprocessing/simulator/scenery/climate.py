"""What grows where, and how green it is on the day of a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.config import Climate, WorldConfig
from preprocessing.simulator.scenery.spectra import spectrum
from preprocessing.simulator.seeds import generator

__all__ = ["Looks", "Weather"]

CROPS = 8
# Green and straw-covered part of each crop in a usual week: cereal, maize, beet, stubble, ploughed,
# harrowed, lucerne, fallow.
_CROP_GREEN = np.array([0.3, 0.8, 0.75, 0.12, 0.05, 0.06, 0.9, 0.45], np.float32)
_CROP_STRAW = np.array([0.75, 0.3, 0.2, 0.8, 0.1, 0.05, 0.4, 0.6], np.float32)
# Green part of wild ground, of pasture, and of the ground under trees; how far seasons change it.
_GREEN: dict[Climate, tuple[float, float, float, float]] = {
    "temperate": (0.62, 0.78, 0.95, 0.22),
    "desert": (0.04, 0.3, 0.5, 0.03),
    "mediterranean": (0.33, 0.42, 0.75, 0.28),
    "tropical": (0.75, 0.62, 0.99, 0.2),
    "northern": (0.5, 0.75, 0.93, 0.2),
}
_SOILS: dict[Climate, tuple[str, ...]] = {
    "temperate": ("brown", "grey"),
    "desert": ("sand", "pale", "red"),
    "mediterranean": ("pale", "red", "brown"),
    "tropical": ("red", "brown"),
    "northern": ("brown", "grey"),
}


@dataclass(frozen=True)
class Looks:
    """The look of a region, drawn once per world.

    Attributes:
        soils: `(2, 5)` reflectance of its two soils.
        wild: Green part of wild ground.
        pasture: Green part of pasture.
        wooded: Green part where trees stand; soil shows between.
        swing: How far the seasons change what is green.
        tiles: Part of the roofs that is tiled.
        white: Part of the other roofs that is bright.
        gardens: Green part of gardens.
        ore: `(5,)` reflectance of what is dug up.
        spoil: `(5,)` reflectance of dumps.
    """

    soils: NDArray[np.float32]
    wild: float
    pasture: float
    wooded: float
    swing: float
    tiles: float
    white: float
    gardens: float
    ore: NDArray[np.float32]
    spoil: NDArray[np.float32]

    @classmethod
    def draw(cls, config: WorldConfig) -> Looks:
        """The look of a world."""
        rng = generator(config.seed, "looks")
        climate = config.climate
        names = _SOILS[climate]
        first, second = (str(name) for name in rng.choice(names, 2))
        bright = np.exp(rng.normal(0.0, 0.12, (2, 1)))
        hue = np.exp(rng.normal(0.0, 0.05, (2, 5)))
        soils = np.stack([spectrum(first), spectrum(second)]) * bright * hue
        # Neighbouring soils come from much the same rock.
        soils[1] += float(rng.uniform(0.45, 0.9)) * (soils[0] - soils[1])
        wild, pasture, wooded, swing = _GREEN[climate]
        dry = climate in ("desert", "mediterranean")
        ore = spectrum(str(rng.choice(["coal", "pale", "grey", "red", "sand"])))
        spoil = 0.5 * spectrum(str(rng.choice(["pale", "brown", "grey", "coal"]))) + 0.5 * soils[0]
        return cls(
            soils.astype(np.float32),
            float(np.clip(wild * rng.uniform(0.75, 1.2), 0.0, 0.95)),
            float(np.clip(pasture * rng.uniform(0.8, 1.15), 0.0, 0.95)),
            float(np.clip(wooded * rng.uniform(0.9, 1.05), 0.0, 1.0)),
            swing,
            float(rng.uniform(0.0, 0.9) if climate != "desert" else rng.uniform(0.0, 0.3)),
            float(rng.uniform(0.2, 0.7) if dry else rng.uniform(0.05, 0.4)),
            float(rng.uniform(0.05, 0.4) if dry else rng.uniform(0.4, 0.85)),
            ore,
            spoil.astype(np.float32),
        )


@dataclass(frozen=True)
class Weather:
    """The day of one scene.

    Attributes:
        green: Added to the green part of grass and wild ground.
        crop_green: `(CROPS,)` green part of each crop.
        crop_straw: `(CROPS,)` part of the rest that is covered by straw.
        silt: How turbid waters are, 0..1.
        sun: Direction to the sun `(east, south)`, of the length of a shadow.
        year: Index of the year.
        strength: How far seasons matter, as configured.
    """

    green: float
    crop_green: NDArray[np.float32]
    crop_straw: NDArray[np.float32]
    silt: float
    sun: tuple[float, float]
    year: int
    strength: float

    @classmethod
    def draw(cls, config: WorldConfig, looks: Looks, year: int) -> Weather:
        """The weather of a year (index)."""
        rng = generator(config.seed, "weather of the day", year)
        usual = generator(config.seed, "usual weather")
        strength = config.seasons
        away = 0.15 + strength
        crop = _CROP_GREEN + usual.normal(0.0, 0.15, CROPS)
        crop = np.clip(crop + strength * rng.normal(0.0, 0.33, CROPS), 0.03, 0.95)
        straw = np.clip(_CROP_STRAW + strength * rng.normal(0.0, 0.2, CROPS), 0.0, 0.9)
        height = float(usual.uniform(0.4, 0.8)) + strength * float(rng.normal(0.0, 0.12))
        length = 1.0 / np.tan(np.clip(height, 0.3, 1.1))
        angle = float(usual.uniform(0.6, 1.2)) + 0.3 * strength * float(rng.normal())
        return cls(
            looks.swing * away * float(rng.normal(0.0, 0.7)),
            crop.astype(np.float32),
            straw.astype(np.float32),
            float(np.clip(usual.uniform(0.0, 0.8) + away * rng.normal(0.0, 0.25), 0.0, 1.0)),
            (float(length * np.cos(angle)), float(length * np.sin(angle))),
            year,
            strength,
        )
