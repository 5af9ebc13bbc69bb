"""The colours of one date for all dates of a place, found from date to date."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.colour_transport import ColourTransport

__all__ = ["colour_chain"]

_NEAREST = 3


def colour_chain(
    cells: NDArray[np.float32], valid: NDArray[np.bool_], index: int
) -> tuple[ColourTransport | None, ...]:
    """What gives each date the colours of date `index`.

    Found one after the other, away from `index`: each date is fitted to the three nearest of those
    before it together, already mapped. From one date to the next less changes than over the whole
    series, and one odd season does not count.

    Args:
        cells: `(d, 3, h, w)` means over cells of dates that ascend, in grey levels of 255.
        valid: `(d, h, w)`.
        index: Position among the dates; negative ones count from the end.

    Returns:
        One a date; the identity for `index` itself, None where too little ground is shared for a
        map to be found.
    """
    mapped = cells.copy()
    index = range(len(cells))[index]
    maps: list[ColourTransport | None] = [None] * len(cells)
    maps[index] = ColourTransport.identity()
    for side in (range(index + 1, len(cells)), range(index - 1, -1, -1)):
        done = [index]
        for date in side:
            near = np.array(done[-_NEAREST:])
            moving = np.repeat(mapped[date][:, None], len(near), axis=1)
            shared = valid[date] & valid[near]
            try:
                found = ColourTransport.fit(moving, mapped[near].swapaxes(0, 1), shared)
            except NoValidPixelsError:
                continue
            maps[date], mapped[date] = found, found.apply(mapped[date])
            done.append(date)
    return tuple(maps)
