"""What a demo world is made from: its configuration, and the character of its region."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from preprocessing.errors import RequestError
from preprocessing.simulator.seeds import generator

__all__ = ["Climate", "Growth", "Landscape", "Region", "Sensor", "WorldConfig", "first_landscape"]

Landscape = Literal[
    "mixed",
    "prairie",
    "city",
    "suburbs",
    "villages",
    "frontier",
    "mining",
    "reservoir",
    "irrigation",
    "coast",
    "river",
    "plantation",
]
Climate = Literal["temperate", "desert", "mediterranean", "tropical", "northern"]
Growth = Literal["steady", "rising", "slowing", "stopping", "waves"]
Sensor = Literal["steady", "changing", "dithered"]
_SMALLEST = 128
_CHOICES = {"landscape": Landscape, "climate": Climate, "growth": Growth, "sensor": Sensor}


def first_landscape(landscape: Landscape) -> bool:
    """Whether a landscape is one of the first two, whose worlds stay as they were."""
    return landscape in ("mixed", "prairie")


@dataclass(frozen=True)
class WorldConfig:
    """Size, span and seed of a demo world.

    Attributes:
        height: Rows, at least 128.
        width: Columns, at least 128.
        years: Years that pass, at least 1.
        start_year: Calendar year of the first scene.
        seed: Everything random derives from it; worlds of the same configuration are equal.
        gsd_m: Metres per pixel, 2 to 200; to 40 for the first two landscapes.
        clouds: Whether clouds and their shadows cover part of the scenes.
        landscape: `mixed` farmland, forest and towns, or `prairie`: large fields and pastures on a
            surveyed grid, many ponds, hardly a tree or a house; the others are composed of
            processes of their own (`processes/landscapes.py`).
        seasons: How far weather and the day of the year change the look of fields, grass and
            water from scene to scene: 0 for the same week of much the same year, 1 for the
            prairie.
        interval: Years from scene to scene; the first is that of the first year.
        climate: What grows and how it looks. This and what follows is for all but the first two
            landscapes.
        growth: Whether building, clearing and digging keep their pace, speed up, slow, stop, or
            come in waves.
        false_colour: Short-wave infrared, near infrared and red instead of red, green and blue.
        sensor: `steady`; `changing`, with jumps of gain and colour between sensors and light that
            differs by date; or `dithered`: changing, and delivered in a palette of few colours.

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
    interval: int = 1
    climate: Climate = "temperate"
    growth: Growth = "steady"
    false_colour: bool = False
    sensor: Sensor = "steady"

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
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                raise RequestError(
                    f"demo world: expected the {name} {', '.join(get_args(choices))}, "
                    f"got {getattr(self, name)!r}"
                )
        most = 40.0 if first_landscape(self.landscape) else 200.0
        if not (math.isfinite(self.gsd_m) and 2.0 <= self.gsd_m <= most):
            raise RequestError(
                f"demo world: expected 2 to {most:.0f} m per pixel, got {self.gsd_m}"
            )
        if not 0 <= self.seasons <= 1:
            raise RequestError(f"demo world: expected seasons of 0 to 1, got {self.seasons}")
        if self.interval < 1:
            raise RequestError(
                f"demo world: expected one year or more between scenes, got {self.interval}"
            )
        usual = (self.climate, self.growth, self.false_colour, self.sensor)
        if first_landscape(self.landscape) and usual != ("temperate", "steady", False, "steady"):
            raise RequestError(
                f"demo world: the {self.landscape} landscape is temperate, in natural colours, of "
                "steady growth and sensor; leave these as they are, or choose another landscape"
            )


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
