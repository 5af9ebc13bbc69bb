"""The conditions of a whole region: computed once, in blocks that see over their borders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from forecast.colours import WhitenedColours
from forecast.network.conditions import (
    PAST_CHANNELS,
    RULES,
    Earlier,
    Tone,
    conditions,
    past_change,
)
from forecast.region.earlier import EarlierCells
from forecast.region.windows import cut, grown, strips, within
from preprocessing.running.disk_space import Zeros

__all__ = [
    "ANOMALY_ODDS",
    "PastChange",
    "anomalies",
    "anomaly_odds",
    "region_colours",
    "region_conditions",
    "region_tone",
]

_BLOCK = 256
ANOMALY_ODDS = (0.6, 0.15)
"""Log odds of change a unit of both planes of `anomalies`; see decision 25."""
_LEAST_RARE, _MOST_BRIGHT = 0.2, 1.5
"""What is added to a distance before its logarithm is taken, and the largest brightness."""
_RARE_SIGMA, _BRIGHT_SIGMA = 2.0, 1.0
"""Gaussian windows, in cells."""
_PAST_WEIGHTS = np.array(
    [weight for channel, weight in RULES if channel in PAST_CHANNELS], np.float32
)
_HALO = 13
"""Cells around a cell that its conditions depend on: the widest window reaches 12."""


def region_tone(
    cells: NDArray[np.float32], seen: NDArray[np.bool_], *, zeros: Zeros = np.zeros
) -> Tone:
    """Tone of the cells `(3, h, w)` of a region that were seen; of all where none was.

    Args:
        cells: Means over cells, 0..1.
        seen: `(h, w)`.
        zeros: Makes planes, on the disk where they are large.
    """
    every = not seen.any()
    count = seen.size if every else int(np.count_nonzero(seen))
    chosen, room = (zeros((1, 3, 1, count), np.float32) for _ in range(2))
    end = 0
    for rows in strips(seen.shape):
        some = cells[:, rows].reshape(3, -1) if every else cells[:, rows][:, seen[rows]]
        chosen[0, :, 0, end : end + some.shape[1]] = some
        end += some.shape[1]
    return Tone.of(torch.from_numpy(chosen), room=torch.from_numpy(room))


def region_conditions(
    cells: NDArray[np.float32],
    earlier: EarlierCells,
    tone: Tone,
    result: NDArray[np.float16],
    *,
    block: int = _BLOCK,
) -> None:
    """Write the conditions of every cell of a region.

    Args:
        cells: `(3, h, w)` of the present, 0..1.
        earlier: Its earlier dates.
        tone: Of the region.
        result: `(CONDITIONS, h, w)` to write to; may be a memory map.
        block: Cells along what is held in memory at once; the result does not depend on it.
    """
    height, width = cells.shape[-2:]
    ago = torch.from_numpy(np.array(earlier.years, np.float32))[None]
    for inner in cut(height, width, block):
        around = grown(inner, _HALO, height, width)
        at = (..., *around.slices)
        channels = conditions(
            torch.from_numpy(np.array(cells[at]))[None],
            Earlier(
                torch.from_numpy(np.array(earlier.cells[at], np.float32))[None],
                torch.from_numpy(np.array(earlier.known[at]))[None],
                ago,
            ),
            tone,
        )[0]
        part = (slice(None), *within(inner, around).slices)
        result[(slice(None), *inner.slices)] = channels[part].numpy()


def region_colours(cells: NDArray[np.float32], seen: NDArray[np.bool_]) -> WhitenedColours:
    """Whitened colours of the cells `(3, h, w)` of a region that were seen."""
    return WhitenedColours.of(cells[:, rows][:, seen[rows]] for rows in strips(seen.shape))


def anomalies(
    cells: NDArray[np.float32],
    seen: NDArray[np.bool_],
    tone: Tone,
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.float32]:
    """How much ground looks unlike most of the region.

    Args:
        cells: `(3, h, w)` means over cells, 0..1.
        seen: `(h, w)` those that were seen.
        tone: Of the region.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(2, h, w)` the logarithm of how rare colours are, some -1 to 2: their smoothed distance
        from the mean of the region in units of its spread (Mahalanobis; the detector of anomalies
        of Reed and Yu 1990); and how bright the ground is, in contrasts around the mean.
    """
    colours, middle = region_colours(cells, seen), float(tone.mean.mean())
    found, reach = zeros((2, *seen.shape), np.float32), int(4 * _RARE_SIGMA + 0.5)
    for rows in strips(seen.shape):
        above = max(0, rows.start - reach)
        around = slice(above, rows.stop + reach)
        known = seen[around].astype(np.float32)
        apart = np.linalg.norm(colours.whitened(cells[:, around]), axis=-1)
        bright = (cells[:, around].mean(axis=0) - middle) / float(tone.contrast[0])
        rare = np.log(_over(apart, known, _RARE_SIGMA) + _LEAST_RARE)
        bright = _over(bright, known, _BRIGHT_SIGMA).clip(-_MOST_BRIGHT, _MOST_BRIGHT)
        inner = slice(rows.start - above, rows.stop - above)
        found[0, rows], found[1, rows] = rare[inner], bright[inner]
    return found


def anomaly_odds(
    cells: NDArray[np.float32],
    seen: NDArray[np.bool_],
    tone: Tone,
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.float32]:
    """Log odds `(h, w)` of lasting change that ground gains by its `anomalies`.

    Building sites, bare soil, mines and banks look unlike most ground, and change more often.
    """
    odds = anomalies(cells, seen, tone, zeros=zeros)
    for rows in strips(seen.shape):
        odds[0, rows] = np.tensordot(np.array(ANOMALY_ODDS, np.float32), odds[:, rows], axes=1)
    return np.asarray(odds[0], dtype=np.float32)


@dataclass(frozen=True)
class PastChange:
    """What log odds of lasting change a region owes to past change, by the rules of the model.

    Attributes:
        channels: `(CONDITIONS, h, w)` from `region_conditions`.
        seen: `(h, w)` cells of the start that were seen.
    """

    channels: NDArray[np.float16]
    seen: NDArray[np.bool_]

    def odds(self, rows: slice) -> NDArray[np.float32]:
        """Of some rows `(rows, w)`; 0 where no earlier date shows the ground."""
        if not self._known(rows).any():
            return np.zeros(self.seen[rows].shape, np.float32)
        told = np.stack([self.channels[channel, rows] for channel in PAST_CHANNELS])
        size = past_change(torch.from_numpy(told.astype(np.float32))[None])[0]
        return np.tensordot(_PAST_WEIGHTS, size.numpy(), axes=1)

    def filled(self, odds: NDArray[np.float32], rows: slice) -> NDArray[np.float32]:
        """The odds of some rows; where no earlier date shows the ground, the mean of other ground.

        Else gaps of earlier dates would be seen in the forecast.
        """
        known = self._known(rows)
        return odds if known.all() else np.where(known, odds, self._mean)

    def _known(self, rows: slice) -> NDArray[np.bool_]:
        return np.asarray(self.channels[PAST_CHANNELS[-1], rows] > 0)

    @cached_property
    def _mean(self) -> np.float32:
        total, count = 0.0, 0
        for rows in strips(self.seen.shape):
            told = self._known(rows) & self.seen[rows]
            total += float(self.odds(rows)[told].sum(dtype=np.float64))
            count += int(told.sum())
        return np.float32(total / max(count, 1))


def _over(
    values: NDArray[np.float32], known: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """Gaussian window over known values; 0 where none is near."""
    total, weight = (gaussian_filter(x, sigma) for x in (np.where(known > 0, values, 0), known))
    return np.asarray(total / np.maximum(weight, 1e-3), dtype=np.float32)
