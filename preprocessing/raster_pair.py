"""From two dated rasters of one place to clean tile pairs in memory."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.alignment import align
from preprocessing.coregister import Shift, estimate_shift
from preprocessing.errors import DateError, NoValidPixelsError, RegistrationError
from preprocessing.filters import FilterConfig, Reason, judge
from preprocessing.grid import Window
from preprocessing.histogram import histogram_distance, match_histogram
from preprocessing.manifest import years_between
from preprocessing.pairs import SPLITS, TILE_PX, Pairs
from preprocessing.raster import Raster
from preprocessing.report import Example, PairReport
from preprocessing.splits import split_blocks
from preprocessing.tiling import plan_tiles

__all__ = ["PrepareConfig", "prepare_rasters"]

_LEAST_SHIFT_PX = 0.1
_EXAMPLES = 18


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """Settings of the preparation.

    Attributes:
        stride: Step between tiles in pixels, 1..128; below 128 they overlap.
        min_valid: Least share of pixels observed at both dates.
        edge_low: See `FilterConfig`.
        edge_high: See `FilterConfig`.
        max_changed: Dropped from this share of changed values on.
        difference: Difference of unit values that counts as changed.
        coregister: Estimate and remove the shift between both dates.
        max_shift_px: Longest shift that is looked for.
        max_residual_px: Refused if a longer shift is left after the best has been removed.
        match: Match the histograms of the later date to the earlier one's.
        val_share: Share held out for validation: of the places, or, of a single place, a compact
            corner of tiles with a strip of 128 px between it and the rest.
        split: Put everything into this split instead.
        seed: Chooses places, corners and examples.
    """

    stride: int = TILE_PX
    min_valid: float = 0.9
    edge_low: float = 0.01
    edge_high: float = 0.27
    max_changed: float = 0.75
    difference: float = 20 / 255
    coregister: bool = True
    max_shift_px: float = 12.0
    max_residual_px: float = 0.5
    match: bool = True
    val_share: float = 0.0
    split: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {self.split!r}")
        if not 1 <= self.stride <= TILE_PX:
            raise ValueError(f"expected a stride of 1 to {TILE_PX}, got {self.stride}")
        if not 0 <= self.val_share < 1:
            raise ValueError(f"expected a val_share of 0 to below 1, got {self.val_share}")
        if not self.max_shift_px >= 1:
            raise ValueError(f"expected a max_shift_px of at least 1, got {self.max_shift_px}")
        if not self.max_residual_px > 0:
            raise ValueError(f"expected a max_residual_px above 0, got {self.max_residual_px}")
        _ = self.filters

    @property
    def filters(self) -> FilterConfig:
        """Bounds of the tile filters."""
        return FilterConfig(
            min_valid=self.min_valid,
            edge_low=self.edge_low,
            edge_high=self.edge_high,
            difference=self.difference,
            max_changed=self.max_changed,
        )


def prepare_rasters(
    earlier: Raster,
    later: Raster,
    config: PrepareConfig,
    *,
    source: str | None = None,
    gsd_m: float = math.nan,
) -> tuple[Pairs, PairReport]:
    """Align, co-register, match, tile and filter two dated rasters.

    Invalid pixels of one date take the other date's values: no change where nothing is known.
    Matched values are used only if they bring the histograms nearer, which they do not always do
    in images of few colours (palettes).

    Args:
        earlier: Raster with a date; its grid is kept.
        later: Raster of a later date.
        config: Settings.
        source: `dataset/place/earlier/later` to note with each tile.
        gsd_m: Metres per pixel where the raster has no CRS.

    Returns:
        The kept pairs and what became of all.

    Raises:
        DateError: A date is missing, or the second is not later.
        GridMismatchError: Only one raster has a CRS, or neither has and the sizes differ.
        NoOverlapError: They share no ground.
        NoValidPixelsError: The common ground is smaller than a tile.
        RegistrationError: They cannot be laid over each other.
    """
    start = time.perf_counter()
    years = _years(earlier, later)
    name = source or f"rasters/{earlier.name}/{earlier.date}/{later.date}"
    first, second = align(earlier, later)
    height, width = first.valid.shape
    if height < TILE_PX or width < TILE_PX:
        raise NoValidPixelsError(
            f"expected at least {TILE_PX} x {TILE_PX} pixels of common ground, {earlier.name} and "
            f"{later.name} share {height} x {width}; use larger or finer images"
        )
    shift, residual_px = Shift(0.0, 0.0, math.nan), math.nan
    if config.coregister:
        second, shift, residual_px = _coregister(earlier, later, first, second, config)
    both = first.valid & second.valid
    if not both.any():
        raise NoValidPixelsError(
            f"expected common ground, no pixel of {earlier.name} and {later.name} is valid in both"
        )
    before = histogram_distance(first.data, second.data, first_valid=both, second_valid=both)
    future, after = second.data, before
    if config.match:
        matched = match_histogram(future, first.data, source_valid=both, reference_valid=both)
        left = histogram_distance(first.data, matched, first_valid=both, second_valid=both)
        if left < before:
            future, after = matched, left

    windows = plan_tiles(height, width, size=TILE_PX, stride=config.stride)
    past = np.where(first.valid, first.data, future)
    future = np.where(second.valid, future, first.data)
    tiles = Pairs(
        past=_cut(_bytes(past), windows),
        future=_cut(_bytes(future), windows),
        valid=_cut(both, windows),
        years=np.full(len(windows), years, np.float32),
        gsd_m=np.full(len(windows), first.grid.gsd_m or gsd_m, np.float32),
        row=np.array([w.row for w in windows], np.int32),
        col=np.array([w.col for w in windows], np.int32),
        split=np.zeros(len(windows), np.uint8),
        source=np.array([name] * len(windows)),
    )
    reasons = judge(tiles.past, tiles.future, tiles.valid, config.filters)
    splits = _splits(windows, config)
    for i, chosen in enumerate(splits):
        if chosen is None and reasons[i] is Reason.KEPT:
            reasons[i] = Reason.GUARD
        tiles.split[i] = SPLITS.index(chosen or "train")
    kept = np.array([reason is Reason.KEPT for reason in reasons])
    pairs = tiles.take(kept)
    report = PairReport(
        source=name,
        counts=dict(Counter(reason.value for reason in reasons)),
        splits=dict(Counter(SPLITS[i] for i in pairs.split)),
        years=years,
        height=height,
        width=width,
        dy_px=shift.dy_px,
        dx_px=shift.dx_px,
        score=shift.score,
        residual_px=residual_px,
        histogram_before=before,
        histogram_after=after,
        seconds=time.perf_counter() - start,
        examples=tuple(_examples(tiles, reasons)),
    )
    return pairs, report


def _years(earlier: Raster, later: Raster) -> float:
    first, second = _date(earlier), _date(later)
    if first >= second:
        raise DateError(
            f"expected EARLIER before LATER, got {first} ({earlier.name}) and {second} "
            f"({later.name}); swap them or state their years"
        )
    return years_between(first, second)


def _date(raster: Raster) -> dt.date:
    if raster.date is None:
        raise DateError(
            f"expected a date for {raster.name}, neither its metadata nor its name says one; "
            "name it like place_2016.tif or state its year"
        )
    return raster.date


def _coregister(
    earlier: Raster, later: Raster, first: Raster, second: Raster, config: PrepareConfig
) -> tuple[Raster, Shift, float]:
    """Remove the shift of `second` and measure what is left; resampled from `later` once."""
    nothing, longest = Shift(0.0, 0.0), config.max_shift_px
    found = estimate_shift(first, second, max_shift_px=longest)
    if not found.reliable:
        return second, replace(nothing, score=found.score), math.nan
    best, best_shift, left = second, nothing, found
    candidate = found
    for _ in range(2):
        if left.length_px <= _LEAST_SHIFT_PX:
            break
        _, moved = align(earlier, later, shift=candidate)
        try:
            rest = estimate_shift(first, moved, max_shift_px=longest)
        except RegistrationError:
            break
        if rest.reliable and rest.length_px < left.length_px:
            best, best_shift, left = moved, candidate, rest
        candidate = Shift(candidate.dy_px + rest.dy_px, candidate.dx_px + rest.dx_px)
    if left.length_px > config.max_residual_px:
        raise RegistrationError(
            f"expected one shift that lays {later.name} over {earlier.name}, {left.length_px:.1f} "
            f"px are left after the best (allowed: {config.max_residual_px:g}): parts of the image "
            "move differently, as leaning towers do; use other dates or allow more"
        )
    return best, replace(best_shift, score=found.score), left.length_px


def _splits(windows: Sequence[Window], config: PrepareConfig) -> list[str | None]:
    if config.split is not None:
        return [config.split] * len(windows)
    return split_blocks(windows, val_share=config.val_share, seed=config.seed)


def _bytes(unit: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


def _cut(image: NDArray[Any], windows: Sequence[Window]) -> NDArray[Any]:
    return np.stack([image[(..., *window.slices)] for window in windows])


def _examples(tiles: Pairs, reasons: Sequence[Reason]) -> Iterator[Example]:
    for reason in Reason:
        index = [i for i, found in enumerate(reasons) if found is reason]
        if len(index) > _EXAMPLES:
            index = [
                index[i] for i in np.linspace(0, len(index) - 1, _EXAMPLES).round().astype(int)
            ]
        for i in index:
            yield Example(reason, tiles.past[i], tiles.future[i], str(tiles.source[i]))
