"""`landcast plan`: what a forecast would take, told before it is made."""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from app.forecasts.memory import affordable_workers, process_bytes
from app.forecasts.outputs import RegionRun
from app.forecasts.request import ForecastRequest
from app.forecasts.run import asked_images, forecast_images, load_networks
from forecast.network.patches import FACTOR, TILE_PX
from forecast.region.images import DatedImages
from preprocessing.errors import NoValidPixelsError
from preprocessing.rasters.grid import Window
from preprocessing.rasters.io import RasterSource
from preprocessing.running.counted import counted
from preprocessing.tiles.cells import CELL
from preprocessing.tiles.tiling import plan_tiles

__all__ = ["ForecastPlan", "plan_forecast"]

_SAMPLE_PX = 512
"""Side of the part that is forecast to see how long it takes."""
_SIDE = TILE_PX // FACTOR
_FILES = 3
"""Of a year that are as good as written side by side."""


@dataclass(frozen=True)
class ForecastPlan:
    """What a forecast would take on this machine.

    Attributes:
        height: Pixels of the start, or of an area of interest with its halo.
        width: Likewise.
        dates: Images, the start among them.
        most_passes: Network passes at most: fewer where the place's past tells what it becomes.
        scratch_bytes: Of the disk while it runs.
        result_bytes: Of what is written, as far as the sample tells.
        workers: Processes, or threads where there are fewer members.
        memory_bytes: Of all processes together.
        seconds: Expected, with so many workers.
        sample: `(height, width)` in pixels of the part that was forecast to find out.
    """

    height: int
    width: int
    dates: int
    most_passes: int
    scratch_bytes: int
    result_bytes: int
    workers: int
    memory_bytes: int
    seconds: float
    sample: tuple[int, int]

    @property
    def lines(self) -> list[str]:
        """Sentences for a terminal."""
        return [
            f"{self.width} x {self.height} pixels, dates: {self.dates}",
            f"network passes: {self.most_passes:,} at most",
            f"disk while it runs: {self.scratch_bytes / 1e9:.1f} GB, "
            f"results: about {self.result_bytes / 1e9:.2f} GB",
            f"memory: about {self.memory_bytes / 1e9:.1f} GB, with "
            f"{counted(self.workers, 'worker')}",
            f"time: about {_duration(self.seconds)} on this machine, by "
            f"{self.sample[1]} x {self.sample[0]} pixels of it",
        ]


def plan_forecast(request: ForecastRequest) -> ForecastPlan:
    """Forecast a part in the middle, one member and one year, and tell what the whole would take.

    Args:
        request: What would be asked for; nothing is written to its `out`.

    Raises:
        RequestError: The request is wrong.
    """
    images, area = asked_images(request)
    grid = images.start.grid
    workers = affordable_workers(request.workers, grid, request.max_memory)
    sample = _seen_part(images.start)
    # Loading takes as long for any region.
    load_networks()
    import_module("sklearn.ensemble")
    with tempfile.TemporaryDirectory(prefix="landcast-plan-") as folder:
        spent, written = _timed(request, images, sample, Path(folder) / "sample")
    larger = grid.height * grid.width / (sample.height * sample.width)
    told = grid if area is None else area.told
    of_told = told.height * told.width / (sample.height * sample.width)
    each = request.members * request.years
    prepared, forecast = larger * spent[0], larger * spent[1]
    finished = of_told * spent[2]
    cells = (-(-grid.height // CELL), -(-grid.width // CELL))
    tiles = plan_tiles(max(cells[0], _SIDE), max(cells[1], _SIDE), size=_SIDE, stride=_SIDE // 2)
    return ForecastPlan(
        height=grid.height,
        width=grid.width,
        dates=len(images.earlier) + 1,
        most_passes=len(tiles) * each,
        scratch_bytes=RegionRun(request, images, request.out).scratch_bytes,
        result_bytes=round(of_told * request.years * (written[0] + request.members * written[1])),
        workers=workers,
        memory_bytes=min(workers, request.members) * process_bytes(grid),
        seconds=(prepared + forecast * each) / workers
        + finished * request.years / min(workers, _FILES),
        sample=(sample.height, sample.width),
    )


def _timed(
    request: ForecastRequest, images: DatedImages, window: Window, out: Path
) -> tuple[tuple[float, float, float], tuple[int, int]]:
    """Seconds of reading, of forecasting and of writing one member and year.

    And bytes that are written a year, and a year and member.
    """
    began: dict[str, float] = {}

    def note(stage: str, _done: int, _total: int) -> None:
        began.setdefault(stage, time.monotonic())

    part = replace(images, start=images.start.part(window))
    asked = ForecastRequest(
        request.images,
        out,
        years=1,
        members=1,
        model=request.model,
        save_members=request.save_members,
        save_observations=request.save_observations,
        cube=request.cube,
        calibrate=request.calibrate,
    )
    forecast_images(asked, part, progress=note)
    end = time.monotonic()
    times = [*(began[stage] for stage in ("reading", "forecasting", "writing")), end]
    first, second, third = (after - before for before, after in itertools.pairwise(times))
    every = _bytes(out)
    of_members = sum(_bytes(out / folder) for folder in ("members", "observations"))
    return (first, second, third), (every - of_members, of_members)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _seen_part(start: RasterSource) -> Window:
    """A window of the start that shows something: in the middle if that does.

    Raises:
        NoValidPixelsError: None of those tried does.
    """
    grid = start.grid
    height, width = min(grid.height, _SAMPLE_PX), min(grid.width, _SAMPLE_PX)
    for down, across in ((2, 2), (1, 1), (1, 3), (3, 1), (3, 3)):
        row, col = (grid.height - height) * down // 4, (grid.width - width) * across // 4
        window = Window(row, col, height, width)
        if start.read(window).valid.any():
            return window
    raise NoValidPixelsError(
        f"expected ground that was observed in {start.name}, found none in its middle; choose a "
        "part of it with --bbox"
    )


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
