"""Noise that belongs to the ground: a pure function of seed, member, year and pixel position.

The members of a pair (0 and 1, 2 and 3) have opposite noise: what one draws high the other draws
low, so that fewer members tell the mean and the spread (antithetic variates, Hammersley and Morton
1956).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.rasters.window import Window

__all__ = ["ground_noise", "regional_noise"]

_CELL = 64
_REGIONAL = 2**63
"""First counter word of regional noise, which no plane of ground noise reaches."""


def ground_noise(
    window: Window,
    *,
    seed: int,
    member: int,
    year: int,
    channels: int = 3,
    number: int = 0,
) -> NDArray[np.float32]:
    """Standard normal noise of a window of the region's low-resolution grid.

    The plane is cut into cells of 64 x 64; each cell has its own stream of the counter-based
    generator Philox (Salmon et al. 2011), keyed by seed and member and counted by year, cell and
    number. Windows that overlap share their noise, and any window can be made alone. Members of
    different pairs share nothing.

    Args:
        window: Rows and columns on the low-resolution grid; may be negative.
        seed: Seed of the run, 0 to 2**63.
        member: Ensemble member.
        year: Calendar year that is forecast.
        channels: Noise channels.
        number: Of the plane; each use of noise has one of its own.

    Returns:
        `(channels, window.height, window.width)` float32.
    """
    noise = np.empty((channels, window.height, window.width), dtype=np.float32)
    pair, second = divmod(member, 2)
    bottom, right = window.row + window.height, window.col + window.width
    for cell_row in range(window.row // _CELL, (bottom - 1) // _CELL + 1):
        for cell_col in range(window.col // _CELL, (right - 1) // _CELL + 1):
            cell = _cell(seed, pair, year, cell_row, cell_col, channels, number)
            top, left = cell_row * _CELL, cell_col * _CELL
            r0, r1 = max(top, window.row), min(top + _CELL, bottom)
            c0, c1 = max(left, window.col), min(left + _CELL, right)
            noise[:, r0 - window.row : r1 - window.row, c0 - window.col : c1 - window.col] = cell[
                :, r0 - top : r1 - top, c0 - left : c1 - left
            ]
    return -noise if second else noise


def regional_noise(*, seed: int, member: int, year: int, count: int) -> NDArray[np.float32]:
    """Standard normal noise `(count,)` that a whole region shares in a year of a member."""
    pair, second = divmod(member, 2)
    key = np.array([seed, pair], dtype=np.uint64)
    counter = np.array([_REGIONAL, year, 0, 0], dtype=np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
    noise = generator.standard_normal(count, dtype=np.float32)
    return -noise if second else noise


def _cell(
    seed: int, pair: int, year: int, row: int, col: int, channels: int, number: int
) -> NDArray[np.float32]:
    # Philox 4x64: the key holds two words, the counter four; the lower half of the first counter
    # word is left to the stream itself.
    key = np.array([seed, pair], dtype=np.uint64)
    counter = np.array([number << 32, year, row % 2**64, col % 2**64], dtype=np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
    return generator.standard_normal((channels, _CELL, _CELL), dtype=np.float32)
