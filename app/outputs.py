"""From members to files: rolled out to scratch, summarized block by block, written as COGs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.members import MemberTask, member_path, roll_member, stepper_of
from app.request import ForecastRequest
from app.results import KINDS, ForecastFolder
from forecast.summary import summarize
from preprocessing.errors import RequestError
from preprocessing.executor import Executor
from preprocessing.grid import Grid, Window
from preprocessing.io import RasterSource, blocks, write_cog
from preprocessing.raster import Encoding

__all__ = ["Progress", "RegionRun"]

Progress = Callable[[str, int, int], None]
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class RegionRun:
    """The two passes of one forecast: roll the members out, then summarize and write.

    Attributes:
        request: What is asked for.
        source: The region.
        scratch: Folder for states and members, on the disk of the results.
        start_year: Year of the region.
        history: Years before it of the earlier images in `scratch`, see `read_earlier`.
    """

    request: ForecastRequest
    source: RasterSource
    scratch: Path
    start_year: int
    history: tuple[float, ...] = ()

    @property
    def years(self) -> range:
        """Calendar years that are forecast."""
        return range(self.start_year + 1, self.start_year + self.request.years + 1)

    def roll(self, model: Path, executor: Executor | None, progress: Progress | None) -> None:
        """Roll every member out.

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
                grid=self.source.grid,
                encoding=self.source.encoding,
                seed=request.seed,
                member=member,
                start_year=self.start_year,
                years=request.years,
                steps=request.steps,
                history=self.history,
                direct=request.direct,
            )
            for member in range(request.members)
        ]
        if executor is not None:
            for done, _ in enumerate(executor.map(roll_member, tasks), start=1):
                if progress is not None:
                    progress("forecasting", done, len(tasks))
            return
        stepper = stepper_of(tasks[0])
        each = request.years * stepper.ticks
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress("forecasting", min(done, each * len(tasks)), each * len(tasks))

        for task in tasks:
            done = task.member * each
            roll_member(task, stepper=stepper, tick=tick)

    def write(
        self, image: NDArray[np.float32], valid: NDArray[np.bool_], progress: Progress | None
    ) -> None:
        """Replace earlier results by the rasters of this run; `image` and `valid` are the present.

        The representative member is the one nearest the ensemble mean over all years, so that
        one consistent future is shown.
        """
        out, stages = self.request.out, 2 * self.request.years + 1
        _remove_earlier(out)
        writer = _Writer(self.source.grid, self.source.encoding, valid)
        writer.image(
            out / f"present_{self.start_year}.tif",
            lambda window: self.source.encoding.encode(image[(slice(None), *window.slices)]),
            f"observed {self.start_year}",
            date=self.source.date,
        )
        distance = np.zeros(self.request.members)
        for done, year in enumerate(self.years):
            if progress is not None:
                progress("writing", done + 1, stages)
            distance += self._write_summary(year, image, writer)
        representative = int(np.argmin(distance))
        for done, year in enumerate(self.years, start=self.request.years):
            if progress is not None:
                progress("writing", done + 1, stages)
            self._write_member(out / f"forecast_{year}.tif", representative, year, writer)
            if self.request.save_members:
                (out / "members").mkdir(exist_ok=True)
                for member in range(self.request.members):
                    path = out / "members" / f"{member:02}_{year}.tif"
                    self._write_member(path, member, year, writer)
        if progress is not None:
            progress("writing", stages, stages)

    def _write_summary(
        self, year: int, image: NDArray[np.float32], writer: _Writer
    ) -> NDArray[np.float64]:
        encoding, grid, out = self.source.encoding, self.source.grid, self.request.out
        members = [
            np.load(member_path(self.scratch, member, year), mmap_mode="r")
            for member in range(self.request.members)
        ]
        maps = {
            name: np.lib.format.open_memmap(
                self.scratch / f"{name}.npy",
                mode="w+",
                dtype=np.float32,
                shape=(bands, grid.height, grid.width),
            )
            for name, bands in (("mean", 3), ("spread", 3), ("change_probability", 1))
        }
        distance = np.zeros(len(members))
        for window in blocks(grid):
            at = (slice(None), *window.slices)
            stack = np.stack([encoding.decode(np.asarray(member[at])) for member in members])
            block = summarize(stack, image[at], writer.valid[window.slices])
            maps["mean"][at] = block.mean
            maps["spread"][at] = block.spread * (encoding.high - encoding.low)
            maps["change_probability"][at] = block.change_probability[None]
            distance += block.distance
        note = self._note(year)
        writer.image(
            out / f"mean_{year}.tif",
            lambda window: encoding.encode(maps["mean"][(slice(None), *window.slices)]),
            note,
        )
        for name in ("spread", "change_probability"):
            writer.layer(out / f"{name}_{year}.tif", maps[name], note)
        return distance

    def _write_member(self, path: Path, member: int, year: int, writer: _Writer) -> None:
        stored = np.load(member_path(self.scratch, member, year), mmap_mode="r")
        writer.image(
            path, lambda window: np.array(stored[(slice(None), *window.slices)]), self._note(year)
        )

    def _note(self, year: int) -> str:
        return f"forecast {year} from {self.start_year}"


def _remove_earlier(out: Path) -> None:
    """Remove the files of the earlier result that its `run.json` tells of, and no others."""
    try:
        earlier = ForecastFolder.open(out)
    except RequestError:
        return
    years, members = earlier.years, range(earlier.members)
    names = [f"{kind}_{year}.tif" for kind in KINDS for year in years]
    names += [f"members/{member:02}_{year}.tif" for member in members for year in years]
    names += [f"forecast_{year}.json" for year in years]
    names += [earlier.present.name, "forecast.mp4", "forecast.gif", "collection.json", "run.json"]
    for name in names:
        (out / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Writer:
    """Writes images in the region's own encoding, and layers in float32."""

    grid: Grid
    encoding: Encoding
    valid: NDArray[np.bool_]

    def image(
        self,
        path: Path,
        stored: Callable[[Window], NDArray[Any]],
        note: str,
        *,
        date: dt.date | None = None,
    ) -> None:
        """Write three bands; `stored` gives the stored values of a window."""
        encoding = self.encoding
        tags = {"VALUE_RANGE": f"{encoding.low:g},{encoding.high:g}", "LANDCAST": note}
        if date is not None:
            tags["ACQUISITION_DATE"] = date.isoformat()
        empty = 0 if encoding.nodata is None else encoding.nodata

        def parts() -> Iterator[tuple[Window, NDArray[Any], NDArray[np.bool_]]]:
            for window in blocks(self.grid):
                seen = self.valid[window.slices]
                values = stored(window)
                values[:, ~seen] = empty
                yield window, values, seen

        write_cog(
            path,
            self.grid,
            parts(),
            count=3,
            dtype=encoding.dtype,
            nodata=encoding.nodata,
            masked=encoding.nodata is None and not bool(self.valid.all()),
            descriptions=_COLOURS,
            tags=tags,
        )

    def layer(self, path: Path, values: NDArray[np.float32], note: str) -> None:
        """Write float32 bands, NaN where nothing was observed."""

        def parts() -> Iterator[tuple[Window, NDArray[Any], None]]:
            for window in blocks(self.grid):
                block = np.array(values[(slice(None), *window.slices)])
                block[:, ~self.valid[window.slices]] = np.nan
                yield window, block, None

        write_cog(
            path,
            self.grid,
            parts(),
            count=len(values),
            dtype="float32",
            nodata=float("nan"),
            descriptions=_COLOURS if len(values) == 3 else ("change probability",),
            tags={"LANDCAST": note},
        )
