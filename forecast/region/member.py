"""One possible future of a region: state after state, each from the start."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.hindcast.skill import combined_probability
from forecast.lift import Lift
from forecast.network.conditions import CONDITIONS
from forecast.region.change_allocation import (
    event_levels,
    keep_corridors,
    parcels_of,
    reallocated,
)
from forecast.region.changes import Changes, SavedChanges
from forecast.region.ground import Ground
from forecast.region.painting import paint, reach_of
from forecast.region.region_conditions import PastChange, region_conditions
from forecast.region.tiled_inference import Noise, RegionNetwork, View
from forecast.region.windows import cut, grown, in_pixels, strips
from forecast.start import DecodedImage, mirror_edges
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Difference, Parts
from preprocessing.running.disk_space import mapped_array
from preprocessing.running.executor import in_threads
from preprocessing.running.partial_files import partial_path, remove_partials_of
from preprocessing.tiles.cells import CELL

__all__ = ["MemberPaths", "MemberRun", "blocks_of"]

_BLOCK = 1024
_PAINTED = 128
"""Cells along a block that is painted at once, and kept as a chunk."""
Tick = Callable[[], None]


def blocks_of(height: int, width: int) -> list[Window]:
    """Blocks of cells of a region of so many, each painted for itself."""
    return cut(height, width, _PAINTED)


@dataclass(frozen=True)
class MemberPaths:
    """Where the years of a member lie.

    Attributes:
        folder: Of all members.
        member: Number of the member.
    """

    folder: Path
    member: int

    def state(self, year: int) -> Path:
        """State of a year, see `open_state`; it is done when this is there."""
        return self.folder / f"member_{self.member:03}_{year}"

    def painting(self, year: int) -> Path:
        """The same while it is painted."""
        return self.folder / f"painting_{self.member:03}_{year}"

    def changes(self, year: int) -> Path:
        """Folder of what has changed by a year."""
        return self.folder / f"changes_{self.member:03}_{year}"

    def seen(self, year: int) -> Path:
        """What an observation of a year differs by, `(3, h, w)` float32 on the grid of cells."""
        return self.folder / f"seen_{self.member:03}_{year}.npy"

    def open_state(self, ground: Ground, year: int) -> Difference:
        """Stored values `(3, height, width)` of a year that is done."""
        return Difference(self.state(year), ground.stored)

    def open_changes(self, ground: Ground, year: int) -> SavedChanges:
        """What has changed by a year."""
        return SavedChanges(self.changes(year), ground.cells)


@dataclass(frozen=True)
class MemberRun:
    """Forecasts the years of one member.

    Every year is forecast from the start at its own horizon, nothing is fed back; all years of a
    member have the same noise. Beyond the longest horizon of training the state then is the start
    of a further leg.

    Attributes:
        ground: The region at its start.
        network: Answers for it.
        lift: From cells to pixels.
        seed: Of the run.
        start_year: Calendar year of the start.
        paths: Where the member lies.
        threads: Blocks that are painted side by side.
        asked: `(h, w)` cells whose pixels are asked for, all where None; those of blocks without
            any may be anything. For one leg: a further one starts from all pixels.
        tick: Called after each block that is painted.
    """

    ground: Ground
    network: RegionNetwork
    lift: Lift
    seed: int
    start_year: int
    paths: MemberPaths
    threads: int = 1
    asked: NDArray[np.bool_] | None = None
    tick: Tick | None = None

    def years(self, count: int) -> None:
        """Forecast so many years; those that are done are not done again."""
        while horizons := self.decide(count):
            self.paint(horizons)
            self.finish(horizons)

    def decide(self, count: int) -> range:
        """Decide what changes in the first years of so many that are not done, up to a leg's end.

        Returns:
            Their horizons; nothing if all are done. They are to be painted and finished then.
        """
        done = 0
        while done < count and self.paths.state(self.start_year + done + 1).exists():
            done += 1
        longest = self.network.longest_years
        begun = done // longest * longest
        horizons = range(done + 1, min(count, begun + longest) + 1)
        if not horizons:
            return horizons
        ground, zeros = self.ground, self.ground.zeros
        levels = event_levels(ground.objects, seed=self.seed, member=self.paths.member, zeros=zeros)
        keep_corridors(levels, ground.corridors)
        parcels = parcels_of(ground.objects, ground.seen, self.network.gsd_m, zeros=zeros)
        changes = Changes.none(ground.cells, zeros=zeros)
        if done:
            changes = self._changed_by(self.start_year + done)
        if done and done == begun:
            changes = changes.next_leg(zeros=zeros)
        view = self._view(begun)
        for horizon in horizons:
            year = self.start_year + horizon
            if self.paths.changes(year).exists():
                changes = self._changed_by(year)
            else:
                changes = self._year(horizon, begun, view, changes, levels, parcels)
            Difference.create(self.paths.painting(year), ground.stored, CELL * _PAINTED)
        remove_partials_of(self._leg_path("image"))
        remove_partials_of(self._leg_path("conditions"))
        return horizons

    def _year(
        self,
        horizon: int,
        begun: int,
        view: View,
        before: Changes,
        levels: NDArray[np.float32],
        parcels: NDArray[np.int64],
    ) -> Changes:
        ground, paths, year = self.ground, self.paths, self.start_year + horizon
        years, noise = horizon - begun, Noise(self.seed, paths.member)
        probability = self.network.probability(view, years, noise)
        after = before.after(
            self._occurrence(years, probability, view),
            partial(self.network.look, view, years, noise),
            levels,
            parcels,
            ground.analogues,
            seen=ground.seen,
            seed=self.seed,
            member=paths.member,
            zeros=ground.zeros,
        )
        if ground.seen_again is not None:
            seen = ground.seen_again.drawn(
                horizon,
                ground.objects,
                ground.earlier,
                ground.cells,
                after.changed,
                ground.familiar,
                float(ground.view.tone.contrast[0]),
                seed=self.seed,
                member=paths.member,
                year=year,
                zeros=ground.zeros,
            )
            _save(paths.seen(year), seen)
        after.save(paths.changes(year), self.ground.cells)
        return after

    def _changed_by(self, year: int) -> Changes:
        return self.paths.open_changes(self.ground, year).whole(zeros=self.ground.zeros)

    def paint(self, horizons: range, part: int = 0, parts: int = 1) -> None:
        """Paint every so many-th block of the years that were decided; chunks that are there stay.

        Blocks share nothing: all years of one are painted before another is begun, and machines
        can work side by side.

        Args:
            horizons: From `decide`.
            part: The first block.
            parts: Every how many-th one.
        """
        ground, first = self.ground, self.start_year + horizons[0] - 1
        years = [self.start_year + horizon for horizon in horizons]
        states = [Difference(self.paths.painting(year), ground.stored) for year in years]
        changes = [self.paths.open_changes(ground, year) for year in years]
        start: Parts = ground.stored
        past = None
        if horizons[0] > 1:
            start = self.paths.open_state(ground, first)
            past = self.paths.open_changes(ground, first)
        height, width = ground.seen.shape
        reach = reach_of(self.lift)

        def paint_block(block: Window) -> None:
            if self.asked is not None and not self.asked[block.slices].any():
                return
            around = grown(block, reach, height, width)
            pixels = in_pixels(block)
            at = (slice(None), *pixels.slices)
            values = np.array(start[at])
            before = np.broadcast_to(False, (around.height, around.width))
            if past is not None:
                before = past.part(around).changed
            for state, change in zip(states, changes, strict=True):
                after = change.part(around)
                if state.written(pixels.row, pixels.col):
                    values = state[at]
                else:
                    paint(
                        values,
                        block,
                        ground.encoding,
                        ground.view.image,
                        ground.view.tone,
                        before=before,
                        after=after,
                        around=around,
                        lift=self.lift,
                    )
                    ground.ensure_current()
                    state[at] = values
                before = after.changed

        blocks = blocks_of(height, width)[part::parts]
        for _ in in_threads(paint_block, blocks, self.threads):
            if self.tick is not None:
                for _ in horizons:
                    self.tick()

    def finish(self, horizons: range) -> None:
        """Years of which all blocks are painted are done."""
        for horizon in horizons:
            year = self.start_year + horizon
            os.replace(self.paths.painting(year), self.paths.state(year))

    def _occurrence(
        self, years: int, probability: NDArray[np.float32], view: View
    ) -> NDArray[np.float32]:
        """What the model says, as far as it knows such ground, and what the place itself taught."""
        ground = self.ground
        taught = None if ground.taught is None else ground.taught[years - 1]
        general = ground.zeros(probability.shape, np.float32)
        for rows in strips(general.shape):
            general[rows] = ground.familiar[rows] * probability[rows]
        past = PastChange(view.conditions, ground.seen)
        general = reallocated(general, past, ground.gain, ground.seen, zeros=ground.zeros)
        return combined_probability(
            general, taught, ground.weight, ground.quantity, years, ground.seen, zeros=ground.zeros
        )

    def _view(self, begun: int) -> View:
        """What the network sees of the start of a leg."""
        if begun == 0:
            return self.ground.view
        year, ground = self.start_year + begun, self.ground
        part = partial_path(self._leg_path("image"))
        state = self.paths.open_state(ground, year)
        stored = mapped_array(part, state.dtype, ground.view.image.shape)
        height, width = state.shape[1:]
        for window in cut(height, width, _BLOCK):
            at = (slice(None), *window.slices)
            stored[at] = state[at]
        mirror_edges(stored, height=height, width=width)
        conditions = mapped_array(
            partial_path(self._leg_path("conditions")),
            np.float16,
            (CONDITIONS, *ground.cells.shape[1:]),
        )
        changes = self._changed_by(year)
        earlier = ground.earlier.after(ground.cells, begun, zeros=ground.zeros)
        region_conditions(changes.colours, earlier, ground.view.tone, conditions)
        return View(DecodedImage(stored, ground.encoding), conditions, ground.view.tone)

    def _leg_path(self, what: str) -> Path:
        return self.paths.folder / f"leg_{what}_{self.paths.member:03}.npy"


def _save(path: Path, values: NDArray[np.float32]) -> None:
    part = partial_path(path)
    np.save(part, values)
    os.replace(part, path)
