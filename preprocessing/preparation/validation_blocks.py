"""Ground held out for validation, and how far tiles of any grid lie from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from preprocessing.rasters.grid import (
    PROJECTION_ERRORS,
    Bounds,
    Grid,
    Window,
    pixel_positions,
    whole,
)

__all__ = ["GUARD_PX", "GroundSplit", "ValidationBlock", "ValidationBlockIndex", "degrees"]

GUARD_PX = 128
"""Least distance between a training and a validation tile."""

_DEGREES = CRS.from_epsg(4326)
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class ValidationBlock:
    """A rectangle of pixels of some grid whose ground is held out for validation.

    A block of spatial validation (Roberts et al. 2017).

    Attributes:
        grid: Any grid; tiles of other grids are mapped onto it.
        window: The rectangle.
    """

    grid: Grid
    window: Window

    def gaps_px(self, grid: Grid, windows: Sequence[Window]) -> NDArray[np.float64]:
        """Distance of tiles from the validation block, along the axis that parts them most.

        Returns:
            `(n,)` pixels of the coarser of both grids; negative where they overlap, infinite where
            a tile cannot be expressed on the grid of the block.
        """
        rows, cols = self._corners(grid, windows)
        box = self.window
        gap_rows = np.maximum(rows.min(axis=1) - box.row - box.height, box.row - rows.max(axis=1))
        gap_cols = np.maximum(cols.min(axis=1) - box.col - box.width, box.col - cols.max(axis=1))
        gaps = np.maximum(gap_rows, gap_cols)
        # Pixels of the grid of the block along the side of one of the tiles'.
        sides = np.hypot(rows[:, 1] - rows[:, 0], cols[:, 1] - cols[:, 0])
        scale = np.maximum(sides / np.array([w.width for w in windows]), 1.0)
        known = np.isfinite(rows).all(axis=1) & np.isfinite(cols).all(axis=1)
        return np.where(known, gaps / scale, np.inf)

    def holds(self, grid: Grid, windows: Sequence[Window]) -> NDArray[np.bool_]:
        """Which tiles lie wholly on the block (half a pixel of slack)."""
        rows, cols = self._corners(grid, windows)
        box, slack = self.window, 0.5
        within = (rows >= box.row - slack) & (rows <= box.row + box.height + slack)
        within &= (cols >= box.col - slack) & (cols <= box.col + box.width + slack)
        return np.asarray(within.all(axis=1))

    def _corners(
        self, grid: Grid, windows: Sequence[Window]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners of the tiles on the grid of the block, `(n, 4)` rows and columns."""
        tops = np.array([w.row for w in windows], float)
        lefts = np.array([w.col for w in windows], float)
        bottoms = tops + [w.height for w in windows]
        rights = lefts + [w.width for w in windows]
        return pixel_positions(
            grid,
            np.stack([tops, tops, bottoms, bottoms], axis=1),
            np.stack([lefts, rights, lefts, rights], axis=1),
            self.grid,
        )


@dataclass(frozen=True)
class GroundSplit:
    """How the tiles of one pair of dates are split by the ground they show.

    Attributes:
        split: Split of the place, or None to split it by `own`.
        own: Ground of this place whose tiles are for validation.
        others: Ground of other places that is held out; training tiles keep their distance.
    """

    split: str | None = None
    own: ValidationBlock | None = None
    others: tuple[ValidationBlock, ...] = ()

    def apply(self, grid: Grid, windows: Sequence[Window]) -> list[str | None]:
        """Split of each tile; None for training tiles within 128 px of a validation block."""
        if self.split not in (None, "train") or not windows:
            return [self.split] * len(windows)
        near = np.zeros(len(windows), bool)
        held = np.zeros(len(windows), bool)
        if self.own is not None and self.split is None:
            held = self.own.holds(grid, windows)
            near = self.own.gaps_px(grid, windows) < GUARD_PX
        for ground in self.others:
            near |= ground.gaps_px(grid, windows) < GUARD_PX
        return [
            "val" if is_held else None if is_near else "train"
            for is_held, is_near in zip(held, near, strict=True)
        ]


class ValidationBlockIndex:
    """Which of many held out grids lie within reach of a place.

    Args:
        held: Grids of places that are held out. Without a CRS nothing is near anything.
    """

    def __init__(self, held: Iterable[Grid]) -> None:
        known = [(grid, degrees(grid)) for grid in dict.fromkeys(held)]
        self._grids = [grid for grid, box in known if box is not None]
        self._boxes = np.array([box for _, box in known if box is not None]).reshape(-1, 4)
        self._gsd_m = np.array([grid.gsd_m or 0.0 for grid in self._grids])

    def near(self, grid: Grid) -> tuple[ValidationBlock, ...]:
        """Those that tiles of a grid may be too close to; a few too many at most."""
        ours = degrees(grid)
        if ours is None or not self._grids:
            return ()
        west, south, east, north = self._boxes.T
        reach_m = 2 * GUARD_PX * np.maximum(grid.gsd_m or 0.0, self._gsd_m)
        latitude = min(max(abs(ours.south), abs(ours.north)) + 1, 89.0)
        down = reach_m / _METRES_PER_DEGREE
        across = down / math.cos(math.radians(latitude))
        apart_y = np.maximum(ours.south - north, south - ours.north)
        middles = (ours.west + ours.east - west - east) / 2
        middles -= 360 * np.round(middles / 360)
        apart_x = np.abs(middles) - (ours.east - ours.west + east - west) / 2
        close = np.flatnonzero((apart_y < down) & (apart_x < across))
        return tuple(ValidationBlock(self._grids[i], whole(self._grids[i])) for i in close)


def degrees(grid: Grid) -> Bounds | None:
    """West, south, east and north in degrees (WGS 84); east above 180 across the antimeridian."""
    if grid.crs is None:
        return None
    try:
        west, south, east, north = transform_bounds(grid.crs, _DEGREES, *grid.bounds)
    except PROJECTION_ERRORS:
        return None
    if not all(math.isfinite(value) for value in (west, south, east, north)):
        return None
    return Bounds(west, south, east + 360 if east < west else east, north)
