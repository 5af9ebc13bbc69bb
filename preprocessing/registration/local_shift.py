"""The shifts that one translation leaves: a smooth field, robust to ground that changed.

Orthophotos bend: relief, lens and mosaic leave shifts that vary slowly over the ground. They are
measured block by block as the common shift is, freed of outliers (changed ground fits anywhere),
smoothed, and applied only if shifts measured at other places shrink.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import KDTree

from preprocessing.rasters.grid import Grid, Window, inside
from preprocessing.rasters.image_source import ImageSource, hold
from preprocessing.registration.edge_correlation import EdgeCorrelation
from preprocessing.registration.shift_field import ShiftField
from preprocessing.registration.warped import WarpedImage

__all__ = ["Refinement", "refine_shifts"]

_BLOCK_PX = 128
_STEP_PX = 64
_OVERHANG_PX = 48
_ROUNDS = 2
_MOST_SIDE = 24  # Blocks along an axis: at most 576, whatever the region.
_REACH_PX = 5
_LEAST_SCORE = 4.5
_LEAST_BLOCKS = 8
_NEIGHBOURS = 9
_OUTLIER = 2.0
_NOISE_PX = 0.1
_LEAST_GAIN = 0.8
_LEAST_LENGTH_PX = 0.1
_LATTICE = 16


@dataclass(frozen=True)
class Refinement:
    """What became of a local refinement.

    Attributes:
        field: The field to apply, or None if it brought no gain.
        before_px: Median length of the local shifts without it.
        after_px: The same with it, measured at other places than those it was made from.
        blocks: Blocks that told a shift.
    """

    field: ShiftField | None
    before_px: float
    after_px: float
    blocks: int


@dataclass(frozen=True)
class _Measured:
    """Local shifts: `points` `(n, 2)` rows and columns, `shifts` `(n, 2)` down and right."""

    points: NDArray[np.float64]
    shifts: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.points)

    def median_px(self) -> float:
        return float(np.median(np.hypot(*self.shifts.T)))

    def take(self, index: NDArray[np.bool_]) -> _Measured:
        return _Measured(self.points[index], self.shifts[index], self.scores[index])


def refine_shifts(first: ImageSource, later: WarpedImage) -> Refinement | None:
    """Estimate the smooth field of shifts that lays `later` over `first`.

    Blocks of 128 px are correlated as in `estimate_shift`. A shift that differs from those around
    it by more than twice their own spread is dropped (normalised median test, Westerweel and
    Scarano 2005); a thin-plate spline that trusts high scores more smooths the others. The second
    round measures what the first has left.

    Args:
        first: The earlier image.
        later: The later image on the same grid, with its common shift removed.

    Returns:
        The field, or none if the local shifts at places between the blocks do not shrink by a
        fifth; None if there are too few blocks with something to see.
    """
    before = _measure(first, later, offset=True)
    if before is None or len(before) < _LEAST_BLOCKS:
        return None
    field: ShiftField | None = None
    used = 0
    for _ in range(_ROUNDS):
        found = _measure(first, later if field is None else replace(later, field=field))
        kept = None if found is None else _without_outliers(found)
        if kept is None or len(kept) < _LEAST_BLOCKS:
            break
        used = max(used, len(kept))
        more = _smooth(kept, first.grid)
        field = more if field is None else field + more
    if field is None:
        return None
    after = _measure(first, replace(later, field=field), offset=True)
    lengths = before.median_px(), np.inf if after is None else after.median_px()
    gain = lengths[0] > _LEAST_LENGTH_PX and lengths[1] < _LEAST_GAIN * lengths[0]
    return Refinement(field if gain else None, lengths[0], float(lengths[1]), used)


def _measure(first: ImageSource, second: ImageSource, *, offset: bool = False) -> _Measured | None:
    """Local shifts of blocks on a net, or between its points."""
    images = hold(first), hold(second)
    points, shifts, scores = [], [], []
    for window in _plan(first.grid, offset=offset):
        correlation = EdgeCorrelation(_BLOCK_PX, _REACH_PX)
        if not correlation.add(images[0].read(window), images[1].read(window)):
            continue
        shift = correlation.best()
        # A peak at the end of the search is no peak.
        if shift.score < _LEAST_SCORE or max(abs(shift.dy_px), abs(shift.dx_px)) > _REACH_PX - 0.5:
            continue
        points.append((window.row + (window.height - 1) / 2, window.col + (window.width - 1) / 2))
        shifts.append((shift.dy_px, shift.dx_px))
        scores.append(shift.score)
    if not points:
        return None
    return _Measured(np.array(points), np.array(shifts), np.array(scores))


def _plan(grid: Grid, *, offset: bool) -> list[Window]:
    """Blocks whose middles form a net over the region, or one half a step aside."""
    planned = []
    marks = []
    for length in grid.shape:
        # Blocks that hang over the border bring the rim, where they tell it, half as far away.
        room = length - _BLOCK_PX + 2 * _OVERHANG_PX
        count = min(max(room // _STEP_PX + 1, 2), _MOST_SIDE)
        at = np.linspace(0, room, count) - _OVERHANG_PX
        marks.append(np.rint((at[1:] + at[:-1]) / 2 if offset else at).astype(int).tolist())
    for row in marks[0]:
        for col in marks[1]:
            part = inside(Window(row, col, _BLOCK_PX, _BLOCK_PX), grid)
            if part is not None:
                planned.append(part)
    return planned


def _without_outliers(found: _Measured) -> _Measured:
    """Drop shifts that do not fit their neighbours: normalised median test."""
    count = min(_NEIGHBOURS, len(found))
    _, near = KDTree(found.points).query(found.points, k=count)
    around = found.shifts[near[:, 1:]]
    middle = np.median(around, axis=1)
    spread = np.median(np.hypot(*np.moveaxis(around - middle[:, None], -1, 0)), axis=1)
    away = np.hypot(*(found.shifts - middle).T)
    return found.take(away <= _OUTLIER * (spread + _NOISE_PX))


def _smooth(found: _Measured, grid: Grid) -> ShiftField:
    """Thin-plate spline through the shifts, the less bound to one the lower its score."""
    scale = float(max(grid.shape))
    spline = RBFInterpolator(
        found.points / scale,
        found.shifts,
        kernel="thin_plate_spline",
        # In units of the squared noise over the squared bend; grows as scores fall to chance.
        smoothing=1e-3 * (10.0 / found.scores) ** 2,
        degree=1,
    )
    ends = np.array([[0.0, 0.0], [grid.height - 1.0, grid.width - 1.0]])
    rows, cols = (np.linspace(low, high, _LATTICE) for low, high in ends.T)
    mesh = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    # Where nothing was measured a spline may run away: no further than what was seen.
    values = np.clip(spline(mesh / scale), *_seen(found.shifts)).reshape(_LATTICE, _LATTICE, 2)
    return ShiftField(rows, cols, values[..., 0], values[..., 1])


def _seen(shifts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least and largest shift along each axis, with some slack for the border."""
    low, high = shifts.min(axis=0), shifts.max(axis=0)
    slack = 0.25 * (high - low)
    return low - slack, high + slack
