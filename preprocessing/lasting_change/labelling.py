"""Labels of a place: the probability of lasting change between two of its dates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from preprocessing.lasting_change.dated_cells import DatedCells, DatedImages

if TYPE_CHECKING:
    from preprocessing.lasting_change.classifier import ChangeClassifier

__all__ = ["MOST_DATES", "label_pair", "label_start", "pairs_of_dates"]

MOST_DATES = 5
"""Dates on either side that tell what lasts."""


def label_pair(
    place: DatedImages, i: int, j: int, classifier: ChangeClassifier | None = None
) -> NDArray[np.float32]:
    """Probability that each cell of a place changed lastingly between two of its dates.

    Dates up to the start and from the target on are compared, five on either side at most, in the
    colours of the start.

    Args:
        place: Images of several dates.
        i: Index of the start.
        j: Index of the target, later than i.
        classifier: Default: the shipped one.

    Returns:
        `(H / 4, W / 4)` float32, 0..1; NaN where it cannot be known: fewer than two dates on either
        side show the cell.
    """
    return next(label_start(DatedCells.of_place(place), i, [j], classifier))[1]


def label_start(
    cells: DatedCells, i: int, targets: Iterable[int], classifier: ChangeClassifier | None = None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """`label_pair` for many targets of one start; colours are matched once for each date.

    Args:
        cells: Of all dates of a place, in their own colours (`DatedCells.of_place`).
        i: Index of the start.
        targets: Indices of later dates.
        classifier: Default: the shipped one.

    Yields:
        The target and its map.

    Raises:
        ValueError: A target is not later than the start, or there is no such date.
    """
    # It brings diffusers, which those who label nothing do without.
    from preprocessing.lasting_change.classifier import shipped_classifier

    network = classifier or shipped_classifier()
    dates, wanted = len(cells.means), list(targets)
    for j in wanted:
        if not 0 <= i < j < dates:
            raise ValueError(
                f"expected a start before its target among {dates} dates, got {i} and {j}"
            )
    earlier = _up_to(i)
    used = sorted({*earlier, *(date for j in wanted for date in _from(j, dates))})
    position = {date: k for k, date in enumerate(used)}
    seen = cells.of(used).in_colours_of(position[i])
    before = seen.of([position[date] for date in earlier])
    for j in wanted:
        yield j, network.of_cells(before, seen.of([position[d] for d in _from(j, dates)]))


def pairs_of_dates(
    years: NDArray[np.float64], horizons: Iterable[float]
) -> list[tuple[int, list[int]]]:
    """Starts and targets that can be labelled: two dates and more up to one and from the other on.

    Args:
        years: `(d,)` ascending.
        horizons: Years ahead that are wanted; each start gets the target nearest to each.
    """
    wanted = list(horizons)
    found = []
    for i in range(1, len(years) - 2):
        later = range(i + 1, len(years) - 1)
        ahead = years[i + 1 : len(years) - 1] - years[i]
        found.append((i, sorted({later[int(np.abs(ahead - h).argmin())] for h in wanted})))
    return found


def _up_to(i: int) -> list[int]:
    return list(range(max(0, i - MOST_DATES + 1), i + 1))


def _from(j: int, dates: int) -> list[int]:
    return list(range(j, min(dates, j + MOST_DATES)))
