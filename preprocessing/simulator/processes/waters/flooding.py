"""Water that comes and goes: what it covers, and what it leaves behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.processes.ground import Ground, Style

__all__ = ["flood"]


def flood(ground: Ground, wet: NDArray[np.bool_], year: int, *, water: Style, left: Style) -> None:
    """Let one water cover just `wet`.

    Args:
        ground: The land.
        wet: `(h, w)` bool, where the water stands this year.
        year: Index of the year.
        water: Kind of the water; other waters are left alone.
        left: Kind of the bare ground that it leaves.
    """
    before = ground.has(Cover.WATER, style=water)
    ground.take(before & ~wet, Cover.BARE, year, left)
    ground.take(wet & (ground.cover != Cover.WATER), Cover.WATER, year, water)
