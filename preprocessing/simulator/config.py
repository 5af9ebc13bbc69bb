"""What a demo world is made from: its configuration, and the character of its region."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from preprocessing.errors import RequestError
from preprocessing.simulator.seeds import generator

__all__ = ["Landscape", "Region", "WorldConfig"]

Landscape = Literal["mixed", "prairie"]
_SMALLEST = 128


@dataclass(frozen=True)
class WorldConfig:
    """Size, span and seed of a demo world.

    Attributes:
        height: Rows, at least 128.
        width: Columns, at least 128.
        years: Number of yearly scenes, at least 1.
        start_year: Calendar year of the first scene.
        seed: Everything random derives from it; worlds of the same configuration are equal.
        gsd_m: Metres per pixel, 2 to 40.
        clouds: Whether clouds and their shadows cover part of the scenes.
        landscape: `mixed` farmland, forest and towns, or `prairie`: large fields and pastures on a
            surveyed grid, many ponds, hardly a tree or a house.
        seasons: How far weather and the day of the year change the look of fields, grass and
            water from scene to scene: 0 for the same week of much the same year, 1 for the
            prairie.

    Raises:
        RequestError: A value is out of range.
    """

    height: int = 512
    width: int = 512
    years: int = 12
    start_year: int = 2012
    seed: int = 0
    gsd_m: float = 10.0
    clouds: bool = False
    landscape: Landscape = "mixed"
    seasons: float = 0.0

    def __post_init__(self) -> None:
        if self.height < _SMALLEST or self.width < _SMALLEST:
            raise RequestError(
                f"demo world: expected at least {_SMALLEST} x {_SMALLEST} pixels, "
                f"got {self.height} x {self.width}; ask for a larger one"
            )
        if self.years < 1 or not 1 <= self.start_year <= 9999 - self.years:
            raise RequestError(
                "demo world: expected one year or more in the calendar, "
                f"got {self.years} from {self.start_year}"
            )
        if self.seed < 0:
            raise RequestError(f"demo world: expected a seed of 0 or more, got {self.seed}")
        if not (math.isfinite(self.gsd_m) and 2.0 <= self.gsd_m <= 40.0):
            raise RequestError(f"demo world: expected 2 to 40 m per pixel, got {self.gsd_m}")
        if self.landscape not in get_args(Landscape):
            raise RequestError(
                f"demo world: expected the landscape {' or '.join(get_args(Landscape))}, "
                f"got {self.landscape!r}"
            )
        if not 0 <= self.seasons <= 1:
            raise RequestError(f"demo world: expected seasons of 0 to 1, got {self.seasons}")


@dataclass(frozen=True)
class Region:
    """The character of a landscape, drawn once per world so that worlds differ.

    Attributes:
        relief_m: Height range of the terrain.
        forest_share: Part of the land under forest, 0..1.
        field_width_m: Typical width of a parcel.
        field_length_m: Typical length of a parcel.
        regularity: 0 for grown, irregular field patterns, 1 for a surveyed square grid.
        field_angle: Prevailing direction of the fields in radians.
        dryness: 0 for lush green, 1 for pale and dry.
        redness: 0 for grey soil and slate roofs, 1 for red soil and tiles.
        conifers: Part of the stands that is coniferous, 0..1.
        river_width_m: Width of the main river.
        town_share: Part of the land built up at the start, 0..1.
        pond_share: Part of the land under ponds in a mean year, 0..1.
        arable_share: Part of the parcels that is arable at the start, 0..1; the rest is grass.
        rotation: Part of the arable parcels that get another crop each year, 0..1.
    """

    relief_m: float
    forest_share: float
    field_width_m: float
    field_length_m: float
    regularity: float
    field_angle: float
    dryness: float
    redness: float
    conifers: float
    river_width_m: float
    town_share: float
    pond_share: float
    arable_share: float
    rotation: float

    @classmethod
    def draw(cls, seed: int, landscape: Landscape = "mixed") -> Region:
        """The region that belongs to a seed."""
        region = cls._mixed(seed)
        return region._as_prairie(seed) if landscape == "prairie" else region

    @classmethod
    def _mixed(cls, seed: int) -> Region:
        rng = generator(seed, "region")
        regular = bool(rng.random() < 0.35)
        size = float(rng.uniform(0.75, 1.3)) * (1.5 if regular else 1.0)
        ponds = max(0.0, float(rng.uniform(-0.04, 0.035)))
        relief = float(rng.uniform(50.0, 170.0)) * (0.5 if ponds > 0 else 1.0)
        forest = float(rng.uniform(0.16, 0.45))
        regularity = float(rng.uniform(0.8, 1.0) if regular else rng.uniform(0.0, 0.5))
        return cls(
            relief_m=relief,
            forest_share=forest,
            field_width_m=85.0 * size,
            field_length_m=220.0 * size,
            regularity=regularity,
            field_angle=float(rng.uniform(-0.12, 0.12) if regular else rng.uniform(0.0, math.pi)),
            dryness=float(rng.uniform(0.05, 0.75)),
            redness=float(rng.uniform(0.0, 1.0)),
            conifers=float(rng.uniform(0.2, 0.8)),
            river_width_m=float(rng.uniform(45.0, 95.0)),
            town_share=float(rng.uniform(0.035, 0.065)),
            pond_share=ponds,
            arable_share=0.55 + 0.2 * regularity,
            rotation=0.12,
        )

    def _as_prairie(self, seed: int) -> Region:
        rng = generator(seed, "prairie")
        size = float(rng.uniform(2.0, 3.5))
        return replace(
            self,
            relief_m=float(rng.uniform(25.0, 60.0)),
            forest_share=float(rng.uniform(0.005, 0.03)),
            field_width_m=85.0 * size,
            field_length_m=150.0 * size,
            regularity=float(rng.uniform(0.9, 1.0)),
            field_angle=float(rng.uniform(-0.05, 0.05)),
            dryness=float(rng.uniform(0.3, 0.9)),
            town_share=float(rng.uniform(0.001, 0.006)),
            pond_share=float(rng.uniform(0.04, 0.16)),
            arable_share=float(rng.uniform(0.2, 0.7)),
            rotation=0.6,
        )
