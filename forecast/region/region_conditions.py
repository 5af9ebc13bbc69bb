"""The conditions of a whole region: computed once, in blocks that see over their borders."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from forecast.network.conditions import Earlier, Tone, conditions
from forecast.region.earlier import EarlierCells
from forecast.region.windows import cut, grown, strips, within
from preprocessing.running.disk_space import Zeros

__all__ = ["anomaly_odds", "region_conditions", "region_tone", "whitened_colours"]

_BLOCK = 256
_LEAST_COLOUR = 0.1
"""Standard deviation below which a principal component is noise, over that of the first."""
_RARE, _LEAST_RARE, _RARE_SIGMA = 0.8, 0.2, 2.0
"""Log odds of change a unit of the logarithm of how rare colours are, what is added to that before,
and its Gaussian window in cells."""
_BRIGHT, _MOST_BRIGHT, _BRIGHT_SIGMA = 0.15, 1.5, 1.0
"""Log odds of change a unit of brightness in contrasts, the largest that counts, its window."""
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


def whitened_colours(
    cells: NDArray[np.float32], seen: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Principal components of the colours of a region, each of unit variance.

    Args:
        cells: `(3, h, w)` means over cells.
        seen: `(h, w)` those that count.

    Returns:
        Mean colour `(3,)`, and the matrix `(3, 3)` that colours less the mean are multiplied by.
    """
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for rows in strips(seen.shape):
        colours = cells[:, rows][:, seen[rows]].astype(np.float64)
        count, total = count + colours.shape[1], total + colours.sum(axis=1)
        products += colours @ colours.T
    mean = total / max(count, 1)
    variance, axes = np.linalg.eigh(products / max(count, 1) - np.outer(mean, mean))
    least = max(float(variance[-1]), 1e-9) * _LEAST_COLOUR**2
    whitening = axes / np.sqrt(np.maximum(variance, least))
    return mean.astype(np.float32), whitening.astype(np.float32)


def anomaly_odds(
    cells: NDArray[np.float32],
    seen: NDArray[np.bool_],
    tone: Tone,
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.float32]:
    """Log odds that lasting change gains on ground that looks unlike most of the region.

    Rare are colours far from the mean of the region, in units of their spread (Mahalanobis
    distance; the detector of Reed and Yu 1990). Building sites, bare soil, mines and banks are; so
    is bright ground.

    Args:
        cells: `(3, h, w)` means over cells, 0..1.
        seen: `(h, w)` those that were seen.
        tone: Of the region.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)`, some -1.5 to 1.5 around what is common.
    """
    mean, whitening = whitened_colours(cells, seen)
    middle, contrast = float(tone.mean.mean()), float(tone.contrast[0])
    found, reach = zeros(seen.shape, np.float32), int(4 * _RARE_SIGMA + 0.5)
    for rows in strips(seen.shape):
        above = max(0, rows.start - reach)
        around = slice(above, rows.stop + reach)
        known = seen[around].astype(np.float32)
        colours = cells[:, around].transpose(1, 2, 0) - mean
        rare = _over(np.linalg.norm(colours @ whitening, axis=-1), known, _RARE_SIGMA)
        bright = _over((cells[:, around].mean(axis=0) - middle) / contrast, known, _BRIGHT_SIGMA)
        odds = _RARE * np.log(rare + _LEAST_RARE)
        odds += _BRIGHT * bright.clip(-_MOST_BRIGHT, _MOST_BRIGHT)
        found[rows] = odds[rows.start - above : rows.stop - above]
    return found


def _over(
    values: NDArray[np.float32], known: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """Gaussian window over known values; 0 where none is near."""
    total, weight = (gaussian_filter(x, sigma) for x in (values * known, known))
    return np.asarray(total / np.maximum(weight, 1e-3), dtype=np.float32)
