"""What was seen of a region up to a date, and nothing later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.colours import WhitenedColours
from forecast.network.conditions import Earlier, Tone
from preprocessing.lasting_change import smallest_difference
from preprocessing.lasting_change.labelling import MOST_DATES
from preprocessing.lasting_change.rule import LEVEL

__all__ = ["Past"]

_MOST_CELLS = 400_000
"""That tone and colours are taken from."""
_WAYS = 4
"""In which dates are shuffled, at most."""


@dataclass(frozen=True)
class Past:
    """Dates of a region on the grid of cells, the last of them the start of a forecast.

    Attributes:
        cells: `(d, 3, h, w)` means over cells, 0..1, in the same colours; may be a memory map.
        known: `(d, h, w)` bool.
        years: `(d,)` decimal years, ascending; only differences count.
    """

    cells: NDArray[np.floating]
    known: NDArray[np.bool_]
    years: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.years)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.known.shape[1], self.known.shape[2]

    def until(self, date: int, first: int = 0) -> Past:
        """The same without anything later than a date, or earlier than the first."""
        dates = slice(first, date + 1)
        return Past(self.cells[dates], self.known[dates], self.years[dates])

    def block(self, at: tuple[slice, slice]) -> Past:
        """Some rows and columns of it, in memory."""
        cells = np.array(self.cells[(..., *at)], np.float32)
        return Past(cells, np.array(self.known[(..., *at)]), self.years)

    def tone(self) -> Tone:
        """Of the last date, by some of its cells."""
        return Tone.of(torch.from_numpy(self._shown().reshape(1, 3, 1, -1)))

    def colours(self, like: WhitenedColours | None = None) -> WhitenedColours:
        """Likewise; `like` those of another date."""
        return WhitenedColours.of([self._shown()], like=like)

    def _shown(self) -> NDArray[np.float32]:
        """Some of the cells `(3, n)` of the last date that were seen."""
        every = max(1, int((self.known[-1].size / _MOST_CELLS) ** 0.5))
        some = (..., slice(None, None, every), slice(None, None, every))
        cells, known = np.array(self.cells[-1][some], np.float32), self.known[-1][some]
        shown = cells[:, known] if known.any() else cells.reshape(3, -1)
        return np.ascontiguousarray(shown)

    def earlier(self) -> Earlier:
        """The dates before the last."""
        return Earlier(
            torch.from_numpy(self.cells[None, :-1]),
            torch.from_numpy(self.known[None, :-1]),
            torch.from_numpy((self.years[-1] - self.years[:-1]).astype(np.float32)[None]),
        )

    def changed(self, start: int, end: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """What changed lastingly between two dates as far as it tells (`changed_lastingly`).

        Returns:
            `(h, w)` whether the cell changed, and whether that is known.
        """
        return self._changed(*self._around(start, end))

    def changed_by_chance(self, start: int, end: int) -> float:
        """Share of the cells that `changed` with the same dates in another order, a mean over some.

        What comes and goes, as crops do, passes for change as often whatever the order of the
        dates; what lasts does so in the true order alone (permutation test, Fisher 1935).
        """
        before, after = self._around(start, end)
        dates = [*before, *after]
        true = set(before), set(after)
        ways = [w for w in combinations(dates, len(before)) if set(w) not in true]
        shares = []
        for first in ways[:: -(-len(ways) // _WAYS)]:
            changed, known = self._changed(first, [date for date in dates if date not in first])
            if known.any():
                shares.append(float(changed[known].mean()))
        return float(np.mean(shares)) if shares else 0.0

    def dates_after(self, end: int) -> int:
        """How many dates tell whether a change up to a date lasted."""
        return min(len(self) - end, MOST_DATES)

    def pairs_telling(self, start: int, end: int) -> int:
        """How many pairs of a date up to one and a date from another on tell what changed."""
        before, after = self._around(start, end)
        return len(before) * len(after)

    def _around(self, start: int, end: int) -> tuple[range, range]:
        """Dates up to one and from another on that tell what changed between them."""
        before = range(max(0, start - MOST_DATES + 1), start + 1)
        return before, range(end, min(len(self), end + MOST_DATES))

    def _changed(
        self, before: Sequence[int], after: Sequence[int]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        first, second = list(before), list(after)
        smallest = smallest_difference(
            255 * self.cells[first], 255 * self.cells[second], self.known[first], self.known[second]
        )
        return smallest > LEVEL, np.isfinite(smallest)
