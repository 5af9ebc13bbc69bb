"""The conditions of a whole region: computed once, in blocks that see over their borders."""

from __future__ import annotations

from collections.abc import Callable

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
    "PAST_ODDS",
    "anomalies",
    "anomaly_odds",
    "past_change_gain",
    "region_colours",
    "region_conditions",
    "region_tone",
]

_BLOCK = 256
ANOMALY_ODDS = (0.6, 0.15)
"""Log odds of change a unit of both planes of `anomalies`; see decision 25."""
PAST_ODDS = 0.3
"""Likewise a unit of both planes of `past_change`, beside what the rules of the model say."""
_LEAST_RARE, _MOST_BRIGHT = 0.2, 1.5
"""What is added to a distance before its logarithm is taken, and the largest brightness."""
_RARE_SIGMA, _BRIGHT_SIGMA = 2.0, 1.0
"""Gaussian windows, in cells."""
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


def past_change_gain(
    channels: NDArray[np.float16], seen: NDArray[np.bool_]
) -> Callable[[slice], NDArray[np.float32]]:
    """What log odds of lasting change gain where ground changed before, beside the rules' part.

    Where no earlier date shows the ground, it gains what other ground of the region gains on
    average, by the rules too: else gaps of earlier dates would be seen in the forecast.

    Args:
        channels: `(CONDITIONS, h, w)` from `region_conditions`.
        seen: `(h, w)` cells of the start that were seen.

    Returns:
        Gives the gain `(rows, w)` of some rows.
    """
    total, count = 0.0, 0
    for rows in strips(seen.shape):
        size, known = _past_sizes(channels, rows)
        told = known & seen[rows]
        total, count = total + float(size[told].sum(dtype=np.float64)), count + int(told.sum())
    elsewhere = np.float32((PAST_ODDS + RULES[0][1]) * total / max(count, 1))

    def gain(rows: slice) -> NDArray[np.float32]:
        size, known = _past_sizes(channels, rows)
        return np.where(known, np.float32(PAST_ODDS) * size, elsewhere)

    return gain


def _past_sizes(
    channels: NDArray[np.float16], rows: slice
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """`past_change` of both scales together, and where an earlier date tells it."""
    told = np.stack([channels[channel, rows] for channel in PAST_CHANNELS]).astype(np.float32)
    size = past_change(torch.from_numpy(told)[None])[0].sum(dim=0).numpy()
    return size, told[-1] > 0


def _over(
    values: NDArray[np.float32], known: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """Gaussian window over known values; 0 where none is near."""
    total, weight = (gaussian_filter(x, sigma) for x in (np.where(known > 0, values, 0), known))
    return np.asarray(total / np.maximum(weight, 1e-3), dtype=np.float32)
