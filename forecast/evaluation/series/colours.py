"""All dates of a place in the colours of a start, for scores: every date mapped by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.cells import cell_means, cells_valid
from preprocessing.colour_map import ColourMap
from preprocessing.errors import NoValidPixelsError
from preprocessing.series import PlaceSeries

__all__ = ["cells_in_colours_of"]


def cells_in_colours_of(
    place: PlaceSeries, start: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cells of all dates in the colours of one, by one `ColourMap` a date.

    Scores keep to the plainest map and fit every date by itself, so that what counts as change does
    not depend on how series are prepared for training.

    Args:
        place: Dates in their own colours.
        start: Position of the date whose colours they get.

    Returns:
        Means `(d, 3, h, w)` in grey levels, and where they are valid `(d, h, w)`: nowhere for dates
        that share too little ground with the start.
    """
    cells, seen = cell_means(place.images), cells_valid(place.valid)
    for date in range(len(cells)):
        if date != start:
            both = seen[date] & seen[start]
            try:
                cells[date] = ColourMap.fit(cells[date], cells[start], both).apply(cells[date])
            except NoValidPixelsError:
                seen[date] = False
    return cells, seen
