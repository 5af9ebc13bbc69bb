"""Lasting change where the covers of every year are known: simulated worlds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.tiles.cells import cell_means

__all__ = ["LASTS_YEARS", "cover_changed_lastingly"]

LASTS_YEARS = 5
"""Years on either side over which covers are compared, however few images are seen."""

_SAME = {
    Cover.CROPLAND: (Cover.GRASS,),
    Cover.GRASS: (Cover.CROPLAND,),
    Cover.CLEARCUT: (Cover.YOUNG_FOREST, Cover.FOREST),
    Cover.YOUNG_FOREST: (Cover.FOREST,),
}
"""Covers that ground takes on without having changed: what farmers do each year, and growth."""


def cover_changed_lastingly(
    before: Iterable[NDArray[np.uint8]], after: Iterable[NDArray[np.uint8]]
) -> NDArray[np.bool_]:
    """Cells whose ground got another cover for good between two periods.

    A pixel has changed lastingly if it has in no year of the later period a cover that it had in
    any year of the earlier one, or that comes of such a cover without a change of use: crops and
    pasture are one, and cut forest grows. A cell has changed if half of its pixels or more have.
    So crops that rotate, ponds and reservoirs whose level swings, stands that grow back, and what
    changed within one of the periods (before the start, after the target) do not count; what is
    built, cleared, cut, dug, flooded for good or left by a river does.

    Args:
        before: `(H, W)` codes of `preprocessing.simulator.Cover`, of every date known in the
            `LASTS_YEARS` years that end with the start.
        after: The same of the years that begin with the target.

    Returns:
        `(H / 4, W / 4)` bool.
    """
    possible = np.bitwise_or.reduce([_REACHED[covers] for covers in before])
    seen = np.bitwise_or.reduce([_BIT[covers] for covers in after])
    return np.asarray(cell_means((possible & seen) == 0) >= 0.5)


_BIT = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
_REACHED = _BIT.copy()
for _cover, _others in _SAME.items():
    for _other in _others:
        _REACHED[_cover] |= _BIT[_other]
