"""How many processes a forecast may have, by the memory that they take."""

from __future__ import annotations

import logging
import os

from preprocessing.errors import RequestError
from preprocessing.rasters.grid import Grid
from preprocessing.running.counted import counted
from preprocessing.tiles.cells import CELL

__all__ = ["affordable_workers", "process_bytes"]

_log = logging.getLogger(__name__)
_BASE_BYTES, _BYTES_A_CELL = 800_000_000, 15
"""Of a process, and what grows with the region: objects, tiles, what changes in a year."""


def process_bytes(grid: Grid) -> int:
    """Memory that a process takes for a region, memory maps not counted."""
    return _BASE_BYTES + _BYTES_A_CELL * -(-grid.height // CELL) * -(-grid.width // CELL)


def affordable_workers(workers: int, grid: Grid, max_memory: int | None) -> int:
    """As many processes as were asked for, if there is memory for them.

    Args:
        workers: Asked for.
        grid: Of the region.
        max_memory: Bytes; all that the machine has where None.

    Raises:
        RequestError: One alone would take more than `max_memory`.
    """
    each = process_bytes(grid)
    if max_memory is not None and each > max_memory:
        raise RequestError(
            f"expected --max-memory of {each / 1e9:.1f}GB or more for a region of {grid.width} x "
            f"{grid.height} pixels, got {max_memory / 1e9:.1f}GB; forecast a part with --bbox or "
            "--aoi"
        )
    limit = max_memory or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fewer = max(1, min(workers, limit // each))
    if fewer < workers:
        _log.warning(
            "%s in place of %d: each takes about %.1f GB",
            counted(fewer, "worker"),
            workers,
            each / 1e9,
        )
    return fewer
