"""The pass over a region that cuts, fills and measures its tiles, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.radiometry.normalization import Normalization
from preprocessing.radiometry.tone_curves import SHOWN_LEVELS, quantised
from preprocessing.rasters.image_source import ImageSource
from preprocessing.rasters.window import Window
from preprocessing.tiles.filters import TileMeasures, measure

__all__ = ["TileBatch", "cut_tiles", "spread_windows"]

_BLOCK_PX = 1920
"""Tiles are read in blocks of 15 x 15 (45 MB an image): fewer reads, bounded memory."""

_BATCH = 64


@dataclass(frozen=True)
class TileBatch:
    """Some tiles of a region.

    Attributes:
        index: `(n,)` which tiles of the plan.
        past: `(n, 3, side, side)` uint8.
        future: Like `past`, with its colours.
        valid: `(n, side, side)` bool, True where both dates are observed.
        measures: What the filters look at.
    """

    index: list[int]
    past: NDArray[np.uint8]
    future: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    measures: TileMeasures


def cut_tiles(
    first: ImageSource,
    second: ImageSource,
    normalization: Normalization,
    windows: Sequence[Window],
    *,
    difference: float,
) -> Iterator[TileBatch]:
    """Read both images block by block and yield their tiles.

    Invalid pixels of one date take the other date's values: no change where nothing is known.

    Args:
        first: The earlier image.
        second: The later image on the same grid.
        normalization: Colours for the later image.
        windows: Tiles of one size.
        difference: Difference of unit values that counts as changed.
    """
    for block, index in _grouped(windows):
        before, after = first.read(block), second.read(block)
        both = before.valid & after.valid
        past = np.stack([quantised(plane, SHOWN_LEVELS) for plane in before.data])
        future = normalization.apply(after)
        np.copyto(past, future, where=~before.valid)
        np.copyto(future, past, where=~after.valid)
        del before, after
        for start in range(0, len(index), _BATCH):
            part = index[start : start + _BATCH]
            inner = [windows[i].within(block) for i in part]
            tiles = _cut(past, inner), _cut(future, inner), _cut(both, inner)
            yield TileBatch(part, *tiles, measure(*tiles, difference=difference))


def spread_windows(windows: Sequence[Window], most: int) -> list[Window]:
    """At most about `most` tiles, in whole blocks spread over the plan."""
    groups = _grouped(windows)
    wanted = max(1, most * len(groups) // max(len(windows), 1))
    step = max(1, len(groups) // wanted)
    return [windows[i] for _, index in groups[step // 2 :: step] for i in index]


def _grouped(windows: Sequence[Window]) -> list[tuple[Window, list[int]]]:
    """Blocks, and which tiles start in each; in the order of the first tile of each."""
    groups: dict[tuple[int, int], list[int]] = {}
    for i, window in enumerate(windows):
        groups.setdefault((window.row // _BLOCK_PX, window.col // _BLOCK_PX), []).append(i)
    planned = []
    for index in groups.values():
        members = [windows[i] for i in index]
        top, left = min(w.row for w in members), min(w.col for w in members)
        bottom = max(w.row + w.height for w in members)
        right = max(w.col + w.width for w in members)
        planned.append((Window(top, left, bottom - top, right - left), index))
    return planned


def _cut(image: NDArray[Any], windows: Sequence[Window]) -> NDArray[Any]:
    return np.stack([image[(..., *window.slices)] for window in windows])
