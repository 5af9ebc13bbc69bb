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
from forecast.region.changes import Changes
from forecast.region.ground import Ground
from forecast.region.painting import bands_of, paint
from forecast.region.region_conditions import region_conditions
from forecast.region.tiled_inference import Noise, RegionNetwork, View
from forecast.region.windows import cut, in_pixels, strips
from forecast.start import mirror_edges
from preprocessing.running.disk_space import mapped_array
from preprocessing.running.partial_files import partial_path, remove_partials_of
from preprocessing.tiles.cells import CELL

__all__ = ["MemberPaths", "MemberRun"]

_BLOCK = 1024
Tick = Callable[[], None]


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
        """Stored values `(3, height, width)` of a year; it is done when this is there."""
        return self.folder / f"member_{self.member:03}_{year}.npy"

    def changes(self, year: int) -> Path:
        """Folder of what has changed by a year."""
        return self.folder / f"changes_{self.member:03}_{year}"

    def seen(self, year: int) -> Path:
        """What an observation of a year differs by, `(3, h, w)` float32 on the grid of cells."""
        return self.folder / f"seen_{self.member:03}_{year}.npy"

    def painted(self, year: int, band: int, bands: int) -> Path:
        """Stored values of one of so many bands of a year."""
        return self.folder / f"painted_{self.member:03}_{year}_{band:03}_of_{bands:03}.npy"


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
        observations: Whether observations are asked for.
        threads: Blocks that are painted side by side.
        asked: `(h, w)` cells whose pixels are asked for, all where None; those of blocks without
            any may be anything. For one leg: a further one starts from all pixels.
        tick: Called after each batch of work.
    """

    ground: Ground
    network: RegionNetwork
    lift: Lift
    seed: int
    start_year: int
    paths: MemberPaths
    observations: bool = False
    threads: int = 1
    asked: NDArray[np.bool_] | None = None
    tick: Tick | None = None

    def years(self, count: int) -> None:
        """Forecast so many years; those that are done are not done again."""
        while horizons := self.decide(count):
            self.paint(horizons)
            self.join(horizons)

    def decide(self, count: int) -> range:
        """Decide what changes in the first years of so many that are not done, up to a leg's end.

        Returns:
            Their horizons; nothing if all are done. Theirs are to be painted and joined then.
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
            changes = Changes.load(self.paths.changes(self.start_year + done))
        if done and done == begun:
            changes = changes.next_leg(zeros=zeros)
        view = self._view(begun)
        for horizon in horizons:
            if self.paths.changes(self.start_year + horizon).exists():
                changes = Changes.load(self.paths.changes(self.start_year + horizon))
            else:
                changes = self._year(horizon, begun, view, changes, levels, parcels)
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
        paths, year = self.paths, self.start_year + horizon
        years, noise = horizon - begun, Noise(self.seed, paths.member)
        probability = self.network.probability(view, years, noise)
        after = before.after(
            self._occurrence(years, probability),
            partial(self.network.look, view, years, noise),
            levels,
            parcels,
            self.ground.analogues,
            seen=self.ground.seen,
            seed=self.seed,
            member=paths.member,
            zeros=self.ground.zeros,
        )
        if self.observations:
            _save(paths.seen(year), self._seen(view, horizon, begun, after))
        after.save(paths.changes(year))
        return after

    def paint(self, horizons: range, band: int = 0, bands: int = 1) -> None:
        """Paint one of several bands of the years that were decided; years that are there stay.

        Bands share nothing: each has files of its own, so that machines can work side by side.
        """
        ground, height, asked = self.ground, self.ground.stored.shape[1], self.asked
        rows = bands_of(ground.objects.shape[0], bands)[band]
        pixels = slice(CELL * rows.start, min(CELL * rows.stop, height))
        earlier, before = ground.stored[:, pixels], np.broadcast_to(False, ground.seen.shape)
        if horizons[0] > 1:
            year = self.start_year + horizons[0] - 1
            earlier = np.load(self.paths.state(year), mmap_mode="r")[:, pixels]
            before = Changes.load(self.paths.changes(year)).changed
        for horizon in horizons:
            path = self.paths.painted(self.start_year + horizon, band, bands)
            changes = Changes.load(self.paths.changes(self.start_year + horizon))
            if not path.exists():
                part = partial_path(path)
                state = mapped_array(part, earlier.dtype, earlier.shape)
                for window in cut(rows.stop - rows.start, ground.seen.shape[1], _BLOCK // CELL):
                    if asked is None or asked[rows][window.slices].any():
                        at = (slice(None), *in_pixels(window).slices)
                        state[at] = earlier[at]
                paint(
                    state,
                    ground.encoding,
                    ground.view.image,
                    ground.view.tone,
                    colours=changes.colours,
                    sources=changes.sources,
                    before=before,
                    changed=changes.changed,
                    lift=self.lift,
                    asked=asked,
                    band=rows,
                    threads=self.threads,
                    tick=self.tick,
                )
                state.flush()
                os.replace(part, path)
            earlier, before = np.load(path, mmap_mode="r"), changes.changed

    def join(self, horizons: range, bands: int = 1) -> None:
        """Make the states of years of their bands, all of which are painted."""
        for horizon in horizons:
            year = self.start_year + horizon
            parts = [self.paths.painted(year, band, bands) for band in range(bands)]
            if bands == 1:
                os.replace(parts[0], self.paths.state(year))
                continue
            part, stored = partial_path(self.paths.state(year)), self.ground.stored
            state, row = mapped_array(part, stored.dtype, stored.shape), 0
            for path in parts:
                painted = np.load(path, mmap_mode="r")
                state[:, row : row + painted.shape[1]] = painted
                row += painted.shape[1]
            state.flush()
            os.replace(part, self.paths.state(year))
            for path in parts:
                path.unlink()

    def _occurrence(self, years: int, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the model says, as far as it knows such ground, and what the place itself taught."""
        ground = self.ground
        weight = 0.0 if ground.skill is None else ground.skill.weight
        taught = None if ground.taught is None else ground.taught[years - 1]
        general = ground.zeros(probability.shape, np.float32)
        for rows in strips(general.shape):
            general[rows] = ground.trust[rows] * probability[rows]
        general = reallocated(general, ground.gain, ground.seen, zeros=ground.zeros)
        return combined_probability(
            general, taught, weight, ground.quantity, years, ground.seen, zeros=ground.zeros
        )

    def _seen(self, view: View, horizon: int, begun: int, changes: Changes) -> NDArray[np.float32]:
        """What an observation differs by: as the place was seen before, else as the model draws."""
        ground, member = self.ground, self.paths.member
        year = self.start_year + horizon
        if ground.seen_again is None:
            noise = Noise(self.seed, member, year)
            drawn = self.network.seen(view, horizon - begun, noise, self.tick, where=self.asked)
            for rows in strips(ground.trust.shape):
                # Unsure ground is seen less surely.
                drawn[:, rows] = (2 - ground.trust[rows]) * drawn[:, rows]
            return drawn
        return ground.seen_again.drawn(
            horizon,
            ground.objects,
            ground.earlier,
            ground.cells,
            changes.changed,
            seed=self.seed,
            member=member,
            year=year,
            zeros=ground.zeros,
        )

    def _view(self, begun: int) -> View:
        """What the network sees of the start of a leg."""
        if begun == 0:
            return self.ground.view
        year, ground = self.start_year + begun, self.ground
        part = partial_path(self._leg_path("image"))
        image = mapped_array(part, np.float32, ground.view.image.shape)
        stored = np.load(self.paths.state(year), mmap_mode="r")
        height, width = stored.shape[1:]
        for window in cut(image.shape[1], image.shape[2], _BLOCK):
            at = (slice(None), *window.slices)
            image[at] = ground.view.image[at]
        for window in cut(height, width, _BLOCK):
            at = (slice(None), *window.slices)
            same = stored[at] == ground.stored[at]
            image[at] = np.where(same, image[at], ground.encoding.decode(np.asarray(stored[at])))
        mirror_edges(image, height=height, width=width)
        conditions = mapped_array(
            partial_path(self._leg_path("conditions")),
            np.float16,
            (CONDITIONS, *ground.cells.shape[1:]),
        )
        changes = Changes.load(self.paths.changes(year))
        earlier = ground.earlier.after(ground.cells, begun, zeros=ground.zeros)
        region_conditions(changes.colours, earlier, ground.view.tone, conditions)
        return View(image, conditions, ground.view.tone)

    def _leg_path(self, what: str) -> Path:
        return self.paths.folder / f"leg_{what}_{self.paths.member:03}.npy"


def _save(path: Path, values: NDArray[np.float32]) -> None:
    part = partial_path(path)
    np.save(part, values)
    os.replace(part, path)
