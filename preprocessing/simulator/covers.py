"""What the ground is covered with in the demo world."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Cover"]


class Cover(IntEnum):
    """Land cover of a pixel; the codes stored in cover maps.

    Attributes:
        WATER: The river, ponds and the reservoir.
        FOREST: Closed stands.
        YOUNG_FOREST: Regrowth, 2 to 12 years after clearing.
        CLEARCUT: Forest cut less than 2 years ago: slash and bare soil.
        CROPLAND: Arable parcels, whatever grows on them this year.
        GRASS: Pasture, meadow, overgrown river bars, reeds around ponds.
        BUILT_UP: Towns, with their streets and gardens.
        ROAD: Roads between towns, bridges included.
        BARE: Sand bars, the dam and the dry rim and floor of the reservoir; desert, building
            ground.
        MINE: Pits, quarries and their dumps.
        SOLAR: Fields of solar panels.
        PLANTATION: Trees in rows, from planting to harvest.
    """

    WATER = 0
    FOREST = 1
    YOUNG_FOREST = 2
    CLEARCUT = 3
    CROPLAND = 4
    GRASS = 5
    BUILT_UP = 6
    ROAD = 7
    BARE = 8
    MINE = 9
    SOLAR = 10
    PLANTATION = 11
