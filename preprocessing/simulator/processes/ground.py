"""The state of the land that processes share: what covers it, since when, as part of what."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover

__all__ = ["LONG_AGO", "Ground", "Style"]

LONG_AGO = -60
_LASTING = (Cover.WATER, Cover.BUILT_UP, Cover.ROAD, Cover.MINE, Cover.SOLAR)


class Style(IntEnum):
    """Kinds of one cover that look different or end differently."""

    WILD = 0
    FIELD = 1
    BLOCK = 2
    PIVOT = 3
    GRID = 4
    SUBURB = 5
    VILLAGE = 6
    SHEDS = 7
    PARK = 8
    PIT = 9
    DUMP = 10
    SEA = 11
    RIVER = 12
    LAKE = 13
    POND = 14
    BAR = 15
    SHORE = 16
    SITE = 17
    GROVE = 18


class Ground:
    """Land on fine pixels; all arrays `(h, w)`.

    Attributes:
        cover: uint8 codes of `Cover`.
        since: int16 index of the year in which the ground got this cover; negative before the
            first year.
        style: uint8 codes of `Style`.
        unit: int32 number of the field, tract or pit it belongs to, within its process.
    """

    def __init__(self, cover: NDArray[np.uint8]) -> None:
        self.cover = cover
        self.since = np.full(cover.shape, LONG_AGO, dtype=np.int16)
        self.style = np.zeros(cover.shape, dtype=np.uint8)
        self.unit = np.zeros(cover.shape, dtype=np.int32)

    def take(
        self,
        where: NDArray[np.bool_],
        cover: Cover,
        year: int,
        style: Style = Style.WILD,
        unit: NDArray[np.int32] | None = None,
    ) -> None:
        """Change what covers the ground.

        Args:
            where: `(h, w)` bool.
            cover: What covers it from now on.
            year: Index of the year.
            style: Its kind.
            unit: `(h, w)` numbers to remember, else 0.
        """
        self.cover[where] = cover
        self.since[where] = year
        self.style[where] = style
        self.unit[where] = 0 if unit is None else unit[where]

    def has(self, *covers: Cover, style: Style | None = None) -> NDArray[np.bool_]:
        """`(h, w)` bool, ground with one of these covers, and of this kind if one is named."""
        table = np.zeros(256, dtype=bool)
        table[list(covers)] = True
        found = table[self.cover]
        return np.asarray(found if style is None else found & (self.style == style))

    @property
    def free(self) -> NDArray[np.bool_]:
        """`(h, w)` bool, dry ground that is not built on, dug up or under panels."""
        return ~self.has(*_LASTING)
