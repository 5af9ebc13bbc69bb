"""Runs of forecasts for tests: tiny images, and workers that do what a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from affine import Affine
from fake_results import write
from made_scenes import made_world, view
from rasterio.crs import CRS

from app.forecasts.request import ForecastRequest
from app.runs import Run, Runs, State
from app.runs.errors import WorkerEndedError
from app.runs.folder import RESULT
from preprocessing.rasters.grid import Grid

GROUND = Grid(96, 128, Affine(10, 0, 500_000, 0, -10, 5_000_000), CRS.from_epsg(32633))


def place(
    path: Path, *, height: int = 96, width: int = 128, crs: bool = True, changed: bool = False
) -> Path:
    """Write a made landscape as a GeoTIFF; part of it is darker if `changed`."""
    world = made_world(3)
    data = np.array(view(world, row_q=0, col_q=0, height=height, width=width).data)
    if changed:
        data[:, height // 3 :, width // 3 :] *= 0.6
    grid = Grid(height, width, GROUND.transform, GROUND.crs if crs else None)
    return write(path, np.rint(255 * data).astype(np.uint8), grid)


def submit(runs: Runs, *, crs: bool = True, **options: object) -> Run:
    """Have a forecast made of a made landscape."""
    name = "place_2020.tif"
    with runs.draft() as folder:
        place(folder.uploads / name, crs=crs)
        asked: dict[str, object] = {"years": 1, "members": 2, **options}
        return runs.submit(
            folder,
            ForecastRequest(images=(Path("uploads") / name,), out=RESULT, **asked),  # type: ignore[arg-type]
        )


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)


def ended(runs: Runs, run: Run) -> Run:
    """Wait until a run has ended."""
    wait_for(lambda: runs.get(run.id).state.ended)
    return runs.get(run.id)


def running(runs: Runs, run: Run) -> None:
    """Wait until a run is carried out."""
    wait_for(lambda: runs.get(run.id).state is State.running)


class HeldWorker:
    """Works until the test lets it go, or has it fail; stands for `WorkerProcess`."""

    made: list[HeldWorker]

    def __init__(self) -> None:
        self.jobs: list[list[str]] = []
        self.error: Exception | None = None
        self.report: Callable[[str, int, int], None] | None = None
        self._go, self._killed = threading.Event(), False
        type(self).made.append(self)

    def start(self) -> None:
        self._killed = False

    def run(self, job: list[str], progress: Callable[[str, int, int], None] | None = None) -> None:
        self.report = progress
        self.jobs.append(job)
        assert self._go.wait(60)
        self._go.clear()
        if self._killed:
            raise WorkerEndedError("killed")
        if self.error is not None:
            raise self.error
        (Path(job[1]) / RESULT).mkdir()

    def kill(self) -> None:
        self._killed = True
        self._go.set()

    def go(self, error: Exception | None = None) -> None:
        """Have it finish its job."""
        self.error = error
        self._go.set()
