"""From members to files: forecast into scratch, summarized block by block, written as COGs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.forecasts.layers import LayerWriter
from app.forecasts.members import MemberRunner, MemberTask, roll_member, roll_shared
from app.forecasts.request import ForecastRequest
from app.forecasts.results import CUBE, KINDS, ZONES, ForecastFolder
from app.forecasts.styles import write_probability_style, write_spread_style
from forecast.states.area import ChangedArea, cell_weights, changed_areas, log_odds_spread
from forecast.states.changes import Changes
from forecast.states.ground import Ground
from forecast.states.images import DatedImages
from forecast.states.member import MemberPaths
from forecast.states.observation import observed
from forecast.states.painting import bands_of
from forecast.states.windows import strips
from forecast.summary import summarize
from preprocessing.errors import RequestError
from preprocessing.rasters.io import blocks
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros, disk_zeros
from preprocessing.running.executor import DaskCluster, Executor
from preprocessing.tiles.cells import CELL

__all__ = ["Progress", "RegionRun"]

Progress = Callable[[str, int, int], None]
_PLANES, _PLANES_A_DATE, _PLANES_A_FUTURE = 250, 14, 41
"""Bytes a cell on the disk: of the region, of an earlier date, of a year of a member."""
_BANDS = 4
"""Of a region for each worker of a cluster that it is shared by: some have more to paint."""


@dataclass(frozen=True)
class RegionRun:
    """The two passes of one forecast: forecast the members, then summarize and write.

    Attributes:
        request: What is asked for.
        images: Start and history.
        scratch: Folder of the ground and the members, on the disk of the results.
    """

    request: ForecastRequest
    images: DatedImages
    scratch: Path

    @property
    def years(self) -> range:
        """Calendar years that are forecast."""
        first = self.images.start_year + 1
        return range(first, first + self.request.years)

    @property
    def scratch_bytes(self) -> int:
        """What the ground and the members take on the disk, at least."""
        grid, request = self.images.start.grid, self.request
        item = np.dtype(self._encoding.dtype).itemsize
        start = 3 * 4 + 1 + 3 * item
        layers = 3 * item + 4
        futures = request.members * request.years
        planes = _PLANES + _PLANES_A_DATE * len(self.images.earlier) + _PLANES_A_FUTURE * futures
        of_pixel = start + layers + 3 * item * futures + planes / CELL**2
        return round(grid.height * grid.width * of_pixel)

    def roll(self, model: Path, executor: Executor | None, progress: Progress | None) -> None:
        """Forecast every member.

        Args:
            model: Model folder.
            executor: Where to run the members; in this process where None.
            progress: Called with `("forecasting", done, total)`.
        """
        request = self.request
        tasks = [
            MemberTask(
                scratch=self.scratch.resolve(),
                model=model.resolve(),
                grid=self.images.start.grid,
                encoding=self._encoding,
                seed=request.seed,
                member=member,
                start_year=self.images.start_year,
                years=request.years,
                observations=request.save_observations,
                threads=max(1, request.workers // request.members),
            )
            for member in range(request.members)
        ]
        if isinstance(executor, DaskCluster) and len(tasks) < executor.workers:
            bands = -(-_BANDS * executor.workers // len(tasks))
            height = self.images.start.grid.height
            bands = min(bands, len(bands_of(-(-height // CELL), bands)))

            def painted(done: int, total: int) -> None:
                if progress is not None:
                    progress("forecasting", done, total)

            roll_shared(tasks, executor, bands, painted)
            return
        if executor is not None:
            for done, _ in enumerate(executor.map(roll_member, tasks), start=1):
                if progress is not None:
                    progress("forecasting", done, len(tasks))
            return
        runner = MemberRunner(tasks[0])
        each = request.years * runner.ticks
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress("forecasting", min(done, each * len(tasks)), each * len(tasks))

        for task in tasks:
            done = task.member * each
            roll_member(task, runner=runner, tick=tick)

    def write(
        self, valid: NDArray[np.bool_], stored: NDArray[Any], progress: Progress | None
    ) -> dict[int, ChangedArea]:
        """Replace earlier results by the rasters of this run.

        The representative member is the one nearest the ensemble mean over all years, so that
        one consistent future is shown.

        Args:
            valid: `(height, width)` of the start.
            stored: `(3, height, width)` stored values of the start.
            progress: Called with `("writing", done, total)`.

        Returns:
            By year, how much ground is expected to have changed.
        """
        out, stages = self.request.out, 2 * self.request.years + 1
        _remove_earlier(out)
        writer = LayerWriter(
            self.images.start.grid, self._encoding, valid, self.images.start.metadata
        )
        writer.image(
            out / f"present_{self.images.start_year}.tif",
            lambda window: np.array(stored[(slice(None), *window.slices)]),
            f"observed {self.images.start_year}",
            date=self.images.start.date,
        )
        distance, widest = np.zeros(self.request.members), 0.0
        row_gsd_m, zeros = self.images.start.grid.row_gsd_m(), disk_zeros(self.scratch)
        weights = cell_weights(valid, row_gsd_m, zeros=zeros)
        probabilities = []
        for done, year in enumerate(self.years):
            if progress is not None:
                progress("writing", done + 1, stages)
            probabilities.append(self._write_changes(year, weights.shape, writer, zeros))
            apart, spread = self._write_summary(year, stored, writer, zeros)
            distance, widest = distance + apart, max(widest, spread)
        for year in self.years:
            write_spread_style(out / f"spread_{year}.tif", widest or 1.0)
        representative = int(np.argmin(distance))
        for done, year in enumerate(self.years, start=self.request.years):
            if progress is not None:
                progress("writing", done + 1, stages)
            state = self._states(year)[representative]
            writer.image(out / f"forecast_{year}.tif", _part_of(state), self._note(year))
            self._write_members(year, writer)
        if progress is not None:
            progress("writing", stages, stages)
        taught = Ground.open(self.scratch, self._encoding).quantity is not None
        areas = changed_areas(probabilities, weights, log_odds_spread(taught=taught))
        return dict(zip(self.years, areas, strict=True))

    def _write_changes(
        self, year: int, shape: tuple[int, ...], writer: LayerWriter, zeros: Zeros
    ) -> NDArray[np.float32]:
        """Write the mean of the members' accumulated probabilities, and return it."""
        probability = zeros(shape, np.float32)
        for path in self._members:
            chance = Changes.load(path.changes(year)).probability(zeros=zeros)
            for rows in strips(shape):
                probability[rows] += chance[rows, : shape[1]] / len(self._members)
        raster = self.request.out / f"change_probability_{year}.tif"
        writer.cells(raster, probability, "change probability", self._note(year))
        write_probability_style(raster)
        return probability

    def _write_summary(
        self, year: int, stored: NDArray[Any], writer: LayerWriter, zeros: Zeros
    ) -> tuple[NDArray[np.float64], float]:
        """Write mean and spread; returns how far each member is from the mean, and the widest."""
        encoding, grid, out = self._encoding, self.images.start.grid, self.request.out
        members = self._states(year)
        mean = zeros((3, grid.height, grid.width), encoding.dtype)
        spread = zeros((1, grid.height, grid.width), np.float32)
        distance, widest = np.zeros(len(members)), 0.0
        for window in blocks(grid):
            at = (slice(None), *window.slices)
            values, start = np.stack([member[at] for member in members]), stored[at]
            valid = writer.valid[window.slices]
            block = summarize(encoding.decode(values), valid)
            # Ground that no member changes keeps its stored values.
            same = (values == start).all(axis=0)
            mean[at] = np.where(same, start, encoding.encode(block.mean))
            spread[at] = block.spread[None] * (encoding.high - encoding.low)
            widest = max(widest, float(spread[at][0, valid].max(initial=0)))
            distance += block.distance
        writer.image(out / f"mean_{year}.tif", _part_of(mean), self._note(year))
        writer.layer(out / f"spread_{year}.tif", _part_of(spread), "spread", self._note(year))
        return distance, widest

    def _write_members(self, year: int, writer: LayerWriter) -> None:
        """Write each member's state and observation, if they are asked for."""
        for member, state in zip(self._members, self._states(year), strict=True):
            name = f"{member.member:02}_{year}.tif"
            if self.request.save_members:
                folder = self.request.out / "members"
                folder.mkdir(exist_ok=True)
                writer.image(folder / name, _part_of(state), self._note(year))
            if self.request.save_observations:
                folder = self.request.out / "observations"
                folder.mkdir(exist_ok=True)
                note = f"{self._note(year)}, as a sensor may see it"
                seen = np.load(member.seen(year), mmap_mode="r")
                writer.image(folder / name, _observed(state, seen, self._encoding), note)

    @property
    def _encoding(self) -> Encoding:
        return self.images.start.encoding

    @property
    def _members(self) -> list[MemberPaths]:
        return [MemberPaths(self.scratch, number) for number in range(self.request.members)]

    def _states(self, year: int) -> list[NDArray[Any]]:
        return [np.load(member.state(year), mmap_mode="r") for member in self._members]

    def _note(self, year: int) -> str:
        return f"forecast {year} from {self.images.start_year}"


def _part_of(values: NDArray[Any]) -> Callable[[Window], NDArray[Any]]:
    return lambda window: np.array(values[(slice(None), *window.slices)])


def _observed(
    state: NDArray[Any], seen: NDArray[np.float32], encoding: Encoding
) -> Callable[[Window], NDArray[Any]]:
    def part(window: Window) -> NDArray[Any]:
        cells = Window(
            window.row // CELL,
            window.col // CELL,
            -(-window.height // CELL),
            -(-window.width // CELL),
        )
        values = encoding.decode(np.asarray(state[(slice(None), *window.slices)]))
        return encoding.encode(observed(np.nan_to_num(values), seen, cells))

    return part


def _remove_earlier(out: Path) -> None:
    """Remove the files of the earlier result that its `run.json` tells of, and no others."""
    try:
        earlier = ForecastFolder.open(out)
    except RequestError:
        return
    years, members = earlier.years, range(earlier.members)
    names = [f"{kind}_{year}.tif" for kind in KINDS for year in years]
    for folder in ("members", "observations"):
        names += [f"{folder}/{member:02}_{year}.tif" for member in members for year in years]
    names += [f"forecast_{year}.json" for year in years]
    names += [f"{kind}_{year}.qml" for kind in ("spread", "change_probability") for year in years]
    names += [
        *ZONES,
        earlier.present.name,
        "forecast.mp4",
        "forecast.gif",
        "collection.json",
        "run.json",
    ]
    for name in names:
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / CUBE, ignore_errors=True)
    for folder in ("members", "observations"):
        with suppress(OSError):  # Not there, or it holds files of others.
            (out / folder).rmdir()
