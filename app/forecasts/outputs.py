"""From members to files: forecast into scratch, summarized block by block, written as COGs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.films.animation import animate, state_frames
from app.forecasts.layers import LayerWriter, observed_part, part_of
from app.forecasts.request import ForecastRequest
from app.forecasts.results import CUBE, KINDS, ZONES
from app.forecasts.styles import write_probability_style, write_spread_style
from forecast.region.area import ChangedArea, cell_weights, changed_areas, log_odds_spread
from forecast.region.ground import Ground
from forecast.region.images import DatedImages
from forecast.region.member import MemberPaths, blocks_of
from forecast.region.windows import strips
from forecast.summary import distances_to_mean, summarize_region
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Difference
from preprocessing.running.disk_space import disk_zeros
from preprocessing.running.executor import DaskCluster, Executor, in_threads
from preprocessing.running.output_lock import contents
from preprocessing.tiles.cells import CELL

__all__ = ["Progress", "RegionRun", "missing_files"]

Progress = Callable[[str, int, int], None]
Write = Callable[[], object]
_PLANES, _PLANES_A_DATE, _PLANES_A_FUTURE = 104, 25, 6
"""Bytes a cell on the disk: of the region, of an earlier date, of a year of a member."""
_SEEN = 12
"""Likewise, of an observation."""
_CHANGED = 0.1
"""Share of the pixels of a state that takes space."""
_FILMS = ("forecast.mp4", "forecast.gif")
_OWN = re.compile(
    rf"({'|'.join(KINDS)})_\d+\.(tif|json|qml)|present_\d+\.tif|(collection|model|run)\.json|"
    + "|".join(map(re.escape, (*ZONES, *_FILMS)))
)
_OF_MEMBER = re.compile(r"\d\d+_\d+\.tif")
"""Names of files of a forecast, and of its members."""
_PARTS = 4
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
        dates, futures = len(self.images.earlier), request.members * request.years
        start, layers = 3 * item + 1, 3 * item + 4
        read = min(dates, request.workers) * (3 * 4 + 1)
        planes = _PLANES + _PLANES_A_DATE * dates + _PLANES_A_FUTURE * futures
        planes += _SEEN * futures * request.save_observations
        changes = _CHANGED * 3 * item * futures
        of_pixel = start + max(layers, read) + changes + planes / CELL**2
        return round(grid.height * grid.width * of_pixel)

    def roll(self, model: Path, executor: Executor | None, progress: Progress | None) -> None:
        """Forecast every member.

        Args:
            model: Model folder.
            executor: Where to run the members; in this process where None.
            progress: Called with `("forecasting", done, total)`.
        """
        # It brings the network, which `forecast_members` loads while images are read.
        from app.forecasts.members import MemberRunner, MemberTask, roll_member, roll_shared

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
                threads=max(1, request.workers // request.members),
            )
            for member in range(request.members)
        ]
        if isinstance(executor, DaskCluster) and len(tasks) < executor.workers:
            grid = self.images.start.grid
            blocks = len(blocks_of(-(-grid.height // CELL), -(-grid.width // CELL)))
            parts = min(blocks, -(-_PARTS * executor.workers // len(tasks)))

            def painted(done: int, total: int) -> None:
                if progress is not None:
                    progress("forecasting", done, total)

            roll_shared(tasks, executor, parts, painted)
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
        self,
        valid: NDArray[np.bool_],
        ground: Ground,
        told: Window,
        progress: Progress | None,
    ) -> dict[int, ChangedArea]:
        """Replace earlier results by the rasters of this run.

        The representative member is the one whose cells are nearest their ensemble mean over all
        years, so that one consistent future is shown.

        Args:
            valid: `(height, width)` of the start.
            ground: At the start.
            told: Pixels that the rasters hold, from a whole cell on.
            progress: Called with `("writing", done, total)`.

        Returns:
            By year, how much ground is expected to have changed.
        """
        request, grid, zeros = self.request, self.images.start.grid, disk_zeros(self.scratch)
        _remove_earlier(request.out)
        writer = LayerWriter(grid, told, self._encoding, valid, self.images.start.metadata)
        weights = cell_weights(valid, grid.row_gsd_m(), zeros=zeros)
        widest, probabilities = 0.0, []
        files: list[Write] = [self._present(ground, writer)]
        done, total = 0, 1 + len(_FILMS)
        total += request.years * (4 + len(self._members) * len(self._saved))
        if progress is not None:
            progress("writing", 0, total)

        def write(writes: list[Write]) -> None:
            nonlocal done
            for _ in in_threads(lambda write: write(), writes, request.workers):
                done += 1
                if progress is not None:
                    progress("writing", done, total)

        for year in self.years:
            probabilities.append(self._probability(year, ground, weights.shape))
            mean = zeros((3, grid.height, grid.width), self._encoding.dtype)
            spread = zeros((1, grid.height, grid.width), np.float32)
            most = summarize_region(
                self._states(year, ground),
                ground.stored,
                valid,
                probabilities[-1],
                self._encoding,
                mean,
                spread,
                request.workers,
            )
            widest = max(widest, most)
            if year == self.years[-1]:
                write(files + self._states_of(self._representative(ground), ground, writer))
                files = self._films()
            write(files + self._of_year(year, mean, spread, probabilities[-1], writer))
            files = []
        for year in self.years:
            write_spread_style(request.out / f"spread_{year}.tif", widest or 1.0)
        apart_by = log_odds_spread(taught=ground.quantity is not None)
        areas = changed_areas(probabilities, weights, apart_by)
        return dict(zip(self.years, areas, strict=True))

    def _present(self, ground: Ground, writer: LayerWriter) -> Write:
        path = self.request.out / f"present_{self.images.start_year}.tif"
        note = f"observed {self.images.start_year}"
        date = self.images.start.date
        return partial(writer.image, path, part_of(ground.stored), note, date=date)

    def _probability(
        self, year: int, ground: Ground, shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """The mean of the members' accumulated probabilities."""
        zeros = ground.zeros
        probability = zeros(shape, np.float32)
        for member in self._members:
            chance = member.open_changes(ground, year).probability(zeros=zeros)
            for rows in strips(shape):
                probability[rows] += chance[rows, : shape[1]] / len(self._members)
        return probability

    def _representative(self, ground: Ground) -> int:
        """The number of the member."""

        def apart(year: int) -> NDArray[np.float64]:
            changes = [member.open_changes(ground, year).colours for member in self._members]
            return distances_to_mean(changes, ground.seen)

        return int(np.argmin(sum(in_threads(apart, self.years, self.request.workers))))

    def _of_year(
        self,
        year: int,
        mean: NDArray[Any],
        spread: NDArray[np.float32],
        probability: NDArray[np.float32],
        writer: LayerWriter,
    ) -> list[Write]:
        """What writes the layers of a year, the longest first."""
        out, note = self.request.out, self._note(year)
        chances = out / f"change_probability_{year}.tif"

        def write_chances() -> None:
            writer.cells(chances, probability, "change probability", note)
            write_probability_style(chances)

        return [
            write_chances,
            partial(writer.image, out / f"mean_{year}.tif", part_of(mean), note),
            partial(writer.layer, out / f"spread_{year}.tif", part_of(spread), "spread", note),
        ]

    def _states_of(self, representative: int, ground: Ground, writer: LayerWriter) -> list[Write]:
        """What writes the states of all years; those of each member if they are asked for."""
        found: list[Write] = []
        for kind in self._saved:
            (self.request.out / kind).mkdir(exist_ok=True)
        for year in self.years:
            states, note, out = self._states(year, ground), self._note(year), self.request.out
            path, state = out / f"forecast_{year}.tif", states[representative]
            found.append(partial(writer.image, path, part_of(state), note))
            for member, state in zip(self._members, states, strict=True):
                path = out / "members" / f"{member.member:02}_{year}.tif"
                if self.request.save_members:
                    found.append(partial(writer.image, path, part_of(state), note))
                path = out / "observations" / path.name
                if self.request.save_observations:
                    seen = np.load(member.seen(year), mmap_mode="r")
                    part = observed_part(state, seen, self._encoding)
                    found.append(
                        partial(writer.image, path, part, f"{note}, as a sensor may see it")
                    )
        return found

    def _films(self) -> list[Write]:
        """What makes films of the states, which are written; encoding takes longest."""
        out, encoding = self.request.out, self._encoding
        states = {self.images.start_year: out / f"present_{self.images.start_year}.tif"}
        states |= {year: out / f"forecast_{year}.tif" for year in self.years}
        limits = encoding.low, encoding.high
        frames = state_frames(states, limits, threads=self.request.workers)
        return [partial(animate, frames, out / name) for name in _FILMS]

    @property
    def _saved(self) -> list[str]:
        """Folders of what is kept of each member."""
        asked = {
            "members": self.request.save_members,
            "observations": self.request.save_observations,
        }
        return [name for name, wanted in asked.items() if wanted]

    @property
    def _encoding(self) -> Encoding:
        return self.images.start.encoding

    @property
    def _members(self) -> list[MemberPaths]:
        return [MemberPaths(self.scratch, number) for number in range(self.request.members)]

    def _states(self, year: int, ground: Ground) -> list[Difference]:
        return [member.open_state(ground, year) for member in self._members]

    def _note(self, year: int) -> str:
        return f"forecast {year} from {self.images.start_year}"


def missing_files(request: ForecastRequest, start_year: int) -> list[str]:
    """Names of files of a forecast that are not where it has written them."""
    years = range(start_year + 1, start_year + 1 + request.years)
    names = [f"present_{start_year}.tif", *_FILMS, "collection.json"]
    names += [f"{kind}_{year}.tif" for kind in KINDS for year in years]
    names += [f"forecast_{year}.json" for year in years]
    kept = {"members": request.save_members, "observations": request.save_observations}
    names += [
        f"{folder}/{member:02}_{year}.tif"
        for folder, asked in kept.items()
        for member in range(request.members if asked else 0)
        for year in years
    ]
    return [name for name in names if not (request.out / name).is_file()]


def _remove_earlier(out: Path) -> None:
    """Remove what has the name of a file of a forecast, whole or cut off, and nothing else."""
    for path in contents(out):
        if _OWN.fullmatch(path.name):
            path.unlink()
    for folder in ("members", "observations"):
        kept = out / folder
        for path in contents(kept) if kept.is_dir() else ():
            if _OF_MEMBER.fullmatch(path.name):
                path.unlink()
        with suppress(OSError):  # Something else is in it.
            kept.rmdir()
    shutil.rmtree(out / CUBE, ignore_errors=True)
