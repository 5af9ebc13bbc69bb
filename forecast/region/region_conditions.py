"""The conditions of a whole region: computed once, in blocks that see over their borders."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.network.conditions import Earlier, Tone, conditions
from forecast.region.earlier import EarlierCells
from forecast.region.windows import cut, grown, strips, within
from preprocessing.running.disk_space import Zeros

__all__ = ["region_conditions", "region_tone"]

_BLOCK = 256
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
