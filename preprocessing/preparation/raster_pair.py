"""From two dated images of one place to clean tile pairs, in memory that does not grow with them.

First the plan: grid, shift and colours, from a bounded number of blocks. Then one pass over the
region, block by block, that hands the kept tiles on as it goes.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from preprocessing.errors import DateError, NoValidPixelsError
from preprocessing.pairs.store import SPLITS, Pairs
from preprocessing.preparation.bounds import BoundsFit
from preprocessing.preparation.config import PrepareConfig
from preprocessing.preparation.splits import split_blocks
from preprocessing.preparation.tile_pass import TileBatch, cut_tiles, spread_windows
from preprocessing.preparation.unseen_ground import why_nothing
from preprocessing.preparation.validation_blocks import GroundSplit, degrees
from preprocessing.radiometry.normalization import Normalization, fit_normalization
from preprocessing.rasters.dates import years_between
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.image_source import ImageSource, hold
from preprocessing.registration.alignment import lay_over
from preprocessing.registration.common_grid import common_grid
from preprocessing.registration.registration import Registration, register
from preprocessing.registration.shift import NOT_MOVED
from preprocessing.report.counts import PairReport
from preprocessing.report.example_tiles import ExampleTiles
from preprocessing.tiles.filters import FilterConfig, Reason, decide
from preprocessing.tiles.tiling import plan_tiles

__all__ = ["PairPlan", "PrepareConfig", "plan_pair"]


@dataclass(frozen=True)
class PairPlan:
    """Two images laid over each other, and the tiles to cut from them.

    Attributes:
        source: `dataset/place/earlier/later`.
        years: Time between both.
        first: The earlier image on the common grid.
        second: The later image on the common grid, moved, not yet recoloured.
        registration: How it was moved.
        normalization: How it is recoloured.
        windows: Tiles.
        gsd_m: Metres per pixel, NaN where unknown.
        config: Settings.
        seconds: Time the plan took.
    """

    source: str
    years: float
    first: ImageSource
    second: ImageSource
    registration: Registration
    normalization: Normalization
    windows: list[Window]
    gsd_m: float
    config: PrepareConfig
    seconds: float

    @property
    def grid(self) -> Grid:
        """The common grid."""
        return self.first.grid

    def measure(self, fit: BoundsFit, *, most: int) -> None:
        """Count what the filters look at, of a spread of at most about `most` tiles."""
        for batch in self._cut(spread_windows(self.windows, most)):
            seen = batch.measures.observed >= self.config.min_valid
            fit.add(batch.measures.edges[seen], batch.measures.changed[seen])

    def run(
        self,
        take: Callable[[Pairs], None],
        *,
        bounds: FilterConfig | None = None,
        ground: GroundSplit | None = None,
    ) -> PairReport:
        """Cut, judge and split all tiles, and hand the kept ones on.

        Args:
            take: Called with batches of kept pairs.
            bounds: Bounds of the filters; default those of the settings.
            ground: How the tiles are split by place; default by blocks, see `split_blocks`.

        Returns:
            What became of all tiles.
        """
        start = time.perf_counter()
        config, bounds = self.config, bounds or self.config.filters
        splits = self._splits(ground)
        counts: Counter[str] = Counter()
        kept: Counter[str] = Counter()
        examples = ExampleTiles(config.seed)
        judged: list[tuple[int, int, str]] = [(0, 0, "")] * len(self.windows)
        for batch in self._cut(self.windows):
            reasons = [
                Reason.GUARD if reason is Reason.KEPT and splits[i] is None else reason
                for i, reason in zip(batch.index, decide(batch.measures, bounds), strict=True)
            ]
            pairs = self._pairs(batch, splits)
            for i, reason in enumerate(reasons):
                window = self.windows[batch.index[i]]
                judged[batch.index[i]] = (window.row, window.col, reason.value)
                examples.offer(reason, pairs, i)
            counts.update(reason.value for reason in reasons)
            good = pairs.take(np.array([reason is Reason.KEPT for reason in reasons]))
            kept.update(SPLITS[i] for i in good.split)
            if len(good):
                take(good)
        registration, normalization = self.registration, self.normalization
        return PairReport(
            source=self.source,
            counts=dict(counts),
            splits=dict(kept),
            years=self.years,
            height=self.grid.height,
            width=self.grid.width,
            dy_px=registration.shift.dy_px,
            dx_px=registration.shift.dx_px,
            score=registration.shift.score,
            residual_px=registration.residual_px,
            histogram_before=normalization.before,
            histogram_after=normalization.after,
            seconds=self.seconds + time.perf_counter() - start,
            examples=tuple(examples),
            histograms=normalization.histograms,
            method=self._method(),
            bounds=degrees(self.grid),
            tiles=tuple(judged),
        )

    def _cut(self, windows: Sequence[Window]) -> Iterator[TileBatch]:
        return cut_tiles(
            self.first, self.second, self.normalization, windows, difference=self.config.difference
        )

    def _splits(self, ground: GroundSplit | None) -> list[str | None]:
        if ground is not None:
            return ground.apply(self.grid, self.windows)
        if self.config.split is not None:
            return [self.config.split] * len(self.windows)
        return split_blocks(self.windows, val_share=self.config.val_share, seed=self.config.seed)

    def _pairs(self, batch: TileBatch, splits: Sequence[str | None]) -> Pairs:
        windows = [self.windows[i] for i in batch.index]
        count = len(windows)
        return Pairs(
            past=batch.past,
            future=batch.future,
            valid=batch.valid,
            years=np.full(count, self.years, np.float32),
            gsd_m=np.full(count, self.gsd_m, np.float32),
            row=np.array([w.row for w in windows], np.int32),
            col=np.array([w.col for w in windows], np.int32),
            split=np.array([SPLITS.index(splits[i] or "train") for i in batch.index], np.uint8),
            source=np.array([self.source] * count),
        )

    def _method(self) -> str:
        """Colours, and what a local refinement did."""
        refinement = self.registration.refinement
        if refinement is None:
            return self.normalization.method
        done = "local shifts refined" if refinement.field is not None else "local shifts kept"
        return (
            f"{self.normalization.method}; {done}: median {refinement.before_px:.2f} px before, "
            f"{refinement.after_px:.2f} px after"
        )


def plan_pair(
    earlier: ImageSource,
    later: ImageSource,
    config: PrepareConfig,
    *,
    source: str | None = None,
    gsd_m: float = math.nan,
) -> PairPlan:
    """Align and co-register two dated images and find the curves between their colours.

    Args:
        earlier: Image with a date; its grid is kept, see `common_grid`.
        later: Image of a later date.
        config: Settings.
        source: `dataset/place/earlier/later` to note with each tile.
        gsd_m: Metres per pixel where the image has no CRS.

    Raises:
        DateError: A date is missing, or the second is not later.
        GridMismatchError: Only one image has a CRS, or neither has and the sizes differ.
        NoOverlapError: They share no ground.
        NoValidPixelsError: The common ground is smaller than a tile, or all of an image that was
            looked at is invalid.
        RegistrationError: They cannot be laid over each other.
    """
    start = time.perf_counter()
    years = _years(earlier, later)
    grid = common_grid(earlier, later, gsd_m=config.gsd_m, stated_gsd_m=gsd_m)
    side = config.tile_px
    if grid.height < side or grid.width < side:
        raise NoValidPixelsError(
            f"expected at least {side} x {side} pixels of common ground, {earlier.name} and "
            f"{later.name} share {grid.height} x {grid.width}; use larger or finer images"
        )
    laid, moving = lay_over(earlier, later, grid)
    first = hold(laid)
    if config.coregister:
        registration = register(
            first,
            moving,
            max_shift_px=config.max_shift_px,
            max_residual_px=config.max_residual_px,
            refine=config.refine,
        )
    else:
        registration = Registration(hold(moving), replace(NOT_MOVED, score=math.nan), math.nan)
    try:
        normalization = fit_normalization(first, registration.image, config.radiometry)
    except NoValidPixelsError as err:
        raise why_nothing(earlier, later, first, moving) or err from err
    return PairPlan(
        source=source or f"rasters/{earlier.name}/{earlier.date}/{later.date}",
        years=years,
        first=first,
        second=registration.image,
        registration=registration,
        normalization=normalization,
        windows=plan_tiles(grid.height, grid.width, size=side, stride=config.stride),
        gsd_m=grid.gsd_m or config.gsd_m or gsd_m,
        config=config,
        seconds=time.perf_counter() - start,
    )


def _years(earlier: ImageSource, later: ImageSource) -> float:
    first, second = _date(earlier), _date(later)
    if first >= second:
        raise DateError(
            f"expected EARLIER before LATER, got {first} ({earlier.name}) and {second} "
            f"({later.name}); swap them or state their years"
        )
    return years_between(first, second)


def _date(image: ImageSource) -> dt.date:
    if image.date is None:
        raise DateError(
            f"expected a date for {image.name}, neither its metadata nor its name says one; "
            "name it like place_2016.tif or state its year"
        )
    return image.date
