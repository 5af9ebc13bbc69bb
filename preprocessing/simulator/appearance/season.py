"""What weather and the day of the year do to the look of the land, beside what people do to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.seeds import generator, hash_unit

__all__ = ["Season"]

_CROPS = 8
_STAGES = np.array(
    [(0.42, 0.36, 0.29), (0.36, 0.47, 0.26), (0.25, 0.36, 0.20), (0.66, 0.59, 0.42)], np.float32
)
"""Bare, sprouting, grown, ripe."""
_WATERS = np.array(
    [(0.09, 0.11, 0.12), (0.28, 0.38, 0.24), (0.42, 0.52, 0.24), (0.36, 0.33, 0.25)], np.float32
)
"""Clear, some algae, a bloom, silt."""


@dataclass(frozen=True)
class Season:
    """The season of one year's scene.

    Attributes:
        strength: 0 where all scenes show the same week of the same kind of year.
        parched: How dry the year is beyond the region's mean.
        damp: How much more than usual wet hollows stand out, a factor.
        patchy: How much more than usual soil and moisture show within a field, a factor.
        crops: `(CROPS, 4)` colour a crop has reached and, last, how far it hides the usual one.
        year: Index of the year.
    """

    strength: float
    parched: float
    damp: float
    patchy: float
    crops: NDArray[np.float32]
    year: int

    @classmethod
    def draw(cls, seed: int, year: int, strength: float) -> Season:
        """The season of a year (index)."""
        dry = float(generator(seed, "season", year).normal(0.0, 0.06))
        rng = generator(seed, "weather", year)
        stage = rng.uniform(0.0, len(_STAGES) - 1.0, _CROPS)
        low = np.minimum(stage.astype(int), len(_STAGES) - 2)
        part = (stage - low)[:, None]
        colour = _STAGES[low] * (1 - part) + _STAGES[low + 1] * part
        share = rng.uniform(0.0, 0.8, (_CROPS, 1)) * strength
        return cls(
            strength,
            dry + strength * float(rng.normal(0.0, 0.35)),
            float(np.exp(strength * rng.normal(0.0, 1.0))),
            float(np.exp(strength * rng.normal(0.0, 0.6))),
            np.concatenate([colour, share], axis=1).astype(np.float32),
            year,
        )

    def of_crops(self, colours: NDArray[np.float32]) -> NDArray[np.float32]:
        """Colours `(CROPS, 3)` of the crops at this stage."""
        return np.asarray(colours + self.crops[:, 3:] * (self.crops[:, :3] - colours))

    def of_pastures(self, owner: NDArray[np.int32]) -> NDArray[np.float32]:
        """How far each field is mown, grazed or dried up, `(...,)` -1..1 times the strength."""
        return self.strength * (2 * hash_unit(owner.astype(np.int64) * 4096 + self.year, 57) - 1)

    def of_waters(self, colour: NDArray[np.float32], number: NDArray[Any]) -> NDArray[np.float32]:
        """Colours `(n, 3)` of water, given the number `(n,)` of the water each pixel belongs to."""
        if self.strength == 0:
            return colour
        key = number.astype(np.int64) * 4096 + self.year
        kind = hash_unit(key, 58) * (len(_WATERS) - 1)
        low = np.minimum(kind.astype(int), len(_WATERS) - 2)
        part = (kind - low)[:, None]
        target = _WATERS[low] * (1 - part) + _WATERS[low + 1] * part
        share = np.minimum(1.0, self.strength * 0.85 * hash_unit(key, 59))[:, None]
        return np.asarray(colour + share * (target - colour), dtype=np.float32)
