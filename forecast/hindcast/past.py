"""What was seen of a region up to a date, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.network.conditions import Earlier, Tone
from preprocessing.lasting_change import smallest_difference
from preprocessing.lasting_change.labelling import MOST_DATES
from preprocessing.lasting_change.rule import LEVEL

__all__ = ["Past"]

_MOST_CELLS = 400_000
"""That the tone is taken from."""


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

    def until(self, date: int) -> Past:
        """The same without anything later than a date."""
        return Past(self.cells[: date + 1], self.known[: date + 1], self.years[: date + 1])

    def block(self, at: tuple[slice, slice]) -> Past:
        """Some rows and columns of it, in memory."""
        cells = np.array(self.cells[(..., *at)], np.float32)
        return Past(cells, np.array(self.known[(..., *at)]), self.years)

    def tone(self) -> Tone:
        """Of the last date, by some of its cells."""
        every = max(1, int((self.known[-1].size / _MOST_CELLS) ** 0.5))
        some = (..., slice(None, None, every), slice(None, None, every))
        cells, known = np.array(self.cells[-1][some], np.float32), self.known[-1][some]
        shown = cells[:, known] if known.any() else cells
        return Tone.of(torch.from_numpy(np.ascontiguousarray(shown.reshape(1, 3, 1, -1))))

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
        before = slice(max(0, start - MOST_DATES + 1), start + 1)
        after = slice(end, min(len(self), end + MOST_DATES))
        smallest = smallest_difference(
            255 * self.cells[before], 255 * self.cells[after], self.known[before], self.known[after]
        )
        return smallest > LEVEL, np.isfinite(smallest)

    def dates_after(self, end: int) -> int:
        """How many dates tell whether a change up to a date lasted."""
        return min(len(self) - end, MOST_DATES)
