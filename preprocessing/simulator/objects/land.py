"""The land of a world, year after year: all processes together, composed into covers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.distance import widened
from preprocessing.simulator.objects.fields import Fields
from preprocessing.simulator.objects.forest import CLEARCUT_YEARS, CLOSED_YEARS, Forest
from preprocessing.simulator.objects.ponds import Ponds
from preprocessing.simulator.objects.reservoir import Reservoir
from preprocessing.simulator.objects.river import River
from preprocessing.simulator.objects.roads import build_roads
from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.objects.towns import Towns

__all__ = ["LandYear", "live"]

_BANK_M = 45.0


@dataclass(frozen=True)
class LandYear:
    """The land of one year on fine pixels; all arrays `(h, w)`.

    Attributes:
        year: Index of the year, from 0.
        cover: uint8 codes of `Cover`.
        forest_age: int16 years since cut, -1 off the forest.
        built_since: int16 index of the year of construction, 9999 for open ground.
        owner: int32 field (merged parcels share one).
        crop: int8 crop.
        still: bool, water of the reservoir.
        pond: bool, water of the ponds.
        old_bed: bool, overgrown bars of the river.
        reeds: bool, the wet fringe of ponds.
        main_road: bool, the wider roads.
    """

    year: int
    cover: NDArray[np.uint8]
    forest_age: NDArray[np.int16]
    built_since: NDArray[np.int16]
    owner: NDArray[np.int32]
    crop: NDArray[np.int8]
    still: NDArray[np.bool_]
    pond: NDArray[np.bool_]
    old_bed: NDArray[np.bool_]
    reeds: NDArray[np.bool_]
    main_road: NDArray[np.bool_]


def live(setting: Setting) -> Iterator[LandYear]:
    """Let the processes run and yield the land of each year.

    Every process draws from its own stream for each year, so the first years do not depend on
    how many follow, nor on whether anything is rendered.
    """
    config, frame, parcels = setting.config, setting.frame, setting.parcels
    river, reservoir = River(setting), Reservoir(setting)
    basin = widened(reservoir.basin | reservoir.dam, frame.px(30.0))
    ponds = Ponds(setting, basin)
    roads = build_roads(setting, river.water | ponds.ground, basin)
    wet = river.water | river.old_bed | ponds.ground
    towns = Towns(setting, roads, basin | widened(wet, frame.px(_BANK_M)))
    forest = Forest(setting, wet | towns.built | roads.road)
    fields = Fields(setting)
    for year in range(config.years):
        if year > 0:
            water = river.water | reservoir.water(year - 1)
            towns.step(
                year, basin | widened(water | river.old_bed | ponds.ground, frame.px(_BANK_M))
            )
            forest.step(year)
            river.step(towns.built | roads.road)
            fields.step(year)
        taken = towns.built | roads.road | river.water | river.sand | ponds.water(year)
        if year >= reservoir.start:
            taken |= reservoir.basin | reservoir.dam
        forest.remove(taken)
        still = reservoir.water(year)
        pond = ponds.water(year)
        grass = fields.grass[fields.owner][parcels.label]
        cover = np.where(grass, Cover.GRASS, Cover.CROPLAND).astype(np.uint8)
        cover[river.old_bed | ponds.fringe(year)] = Cover.GRASS
        age = forest.age
        cover[age >= 0] = Cover.CLEARCUT
        cover[age >= CLEARCUT_YEARS] = Cover.YOUNG_FOREST
        cover[age >= CLOSED_YEARS] = Cover.FOREST
        cover[river.sand] = Cover.BARE
        cover[river.water | pond] = Cover.WATER
        cover[towns.built] = Cover.BUILT_UP
        cover[roads.road] = Cover.ROAD
        cover[reservoir.bare(year)] = Cover.BARE
        cover[still] = Cover.WATER
        yield LandYear(
            year,
            cover,
            forest.age.copy(),
            towns.since.copy(),
            fields.owner[parcels.label],
            fields.crop[fields.owner][parcels.label],
            still,
            pond,
            river.old_bed,
            ponds.fringe(year),
            roads.main,
        )
