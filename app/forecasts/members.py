"""The work item of a forecast: one member, from the first year not yet done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from forecast.pretrained import load_model
from forecast.states.answers import RegionNetwork
from forecast.states.ground import Ground
from forecast.states.member import MemberPaths, MemberRun
from forecast.states.painting import paint_ticks
from preprocessing.rasters.grid import Grid
from preprocessing.rasters.raster import Encoding
from sr.lift.guided_lift import GuidedLift
from sr.lift.network import load_guided

__all__ = ["MemberRunner", "MemberTask", "one_thread", "roll_member"]

Tick = Callable[[], None]


@dataclass(frozen=True)
class MemberTask:
    """Everything a worker needs to forecast one member.

    Attributes:
        scratch: Folder with what `prepare_ground` left; the years go there too.
        model: Model folder.
        grid: Grid of the region.
        encoding: How values are stored.
        seed: Seed of the run.
        member: Number of the member.
        start_year: Year of the start image.
        years: Years to forecast.
        observations: Whether observations are asked for.
        threads: Blocks that a worker paints side by side.
    """

    scratch: Path
    model: Path
    grid: Grid
    encoding: Encoding
    seed: int
    member: int
    start_year: int
    years: int
    observations: bool = False
    threads: int = 1


class MemberRunner:
    """Forecasts members with models that are loaded once.

    Args:
        task: One of the tasks.

    Attributes:
        ticks: How often `tick` is called in a year.
    """

    def __init__(self, task: MemberTask) -> None:
        self._ground = Ground.open(task.scratch, task.encoding)
        height, width = self._ground.objects.shape
        self._network = RegionNetwork(
            load_model(task.model),
            height=height,
            width=width,
            gsd_m=task.grid.gsd_m,
            zeros=self._ground.zeros,
        )
        self._lift = GuidedLift(load_guided())
        self.ticks = paint_ticks(height, width)
        if task.observations and self._ground.seen_again is None:
            self.ticks += self._network.ticks

    def run(self, task: MemberTask, tick: Tick | None) -> None:
        """Forecast the years of a member that are not there yet."""
        MemberRun(
            self._ground,
            self._network,
            self._lift,
            task.seed,
            task.start_year,
            MemberPaths(task.scratch, task.member),
            observations=task.observations,
            threads=task.threads,
            tick=tick,
        ).years(task.years)


def roll_member(
    task: MemberTask, *, runner: MemberRunner | None = None, tick: Tick | None = None
) -> int:
    """Forecast one member, keeping each year as stored values in the scratch folder.

    Args:
        task: What to do; years that are already there are not done again.
        runner: To share loaded models between tasks of one process.
        tick: Called after each batch of work.

    Returns:
        The number of the member.
    """
    with one_thread():
        (runner or MemberRunner(task)).run(task, tick)
    return task.member


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums on several threads differ in their last bits, so members take one wherever they run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
