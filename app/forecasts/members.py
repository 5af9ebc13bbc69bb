"""The work item of a forecast: one member, from the first year not yet done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from forecast.pretrained import load_model
from forecast.region.ground import Ground
from forecast.region.member import MemberPaths, MemberRun, blocks_of
from forecast.region.tiled_inference import RegionNetwork
from preprocessing.rasters.grid import Grid
from preprocessing.rasters.raster import Encoding
from preprocessing.running.executor import Executor, one_thread
from sr.lift.guided_lift import GuidedLift
from sr.lift.network import load_guided

__all__ = ["MemberRunner", "MemberTask", "roll_member", "roll_shared"]

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
    threads: int = 1


class MemberRunner:
    """Forecasts members with models that are loaded once.

    Args:
        task: One of the tasks.
    """

    def __init__(self, task: MemberTask) -> None:
        self._task = task
        self._ground = Ground.open(task.scratch, task.encoding)

    @cached_property
    def _network(self) -> RegionNetwork:
        height, width = self._ground.objects.shape
        return RegionNetwork(
            load_model(self._task.model),
            height=height,
            width=width,
            gsd_m=self._task.grid.gsd_m,
            zeros=self._ground.zeros,
        )

    @cached_property
    def _lift(self) -> GuidedLift:
        return GuidedLift(load_guided())

    @property
    def ticks(self) -> int:
        """How often `tick` is called in a year."""
        return len(blocks_of(*self._ground.objects.shape))

    def member(self, task: MemberTask, tick: Tick | None = None) -> MemberRun:
        """A member, to be forecast."""
        return MemberRun(
            self._ground,
            self._network,
            self._lift,
            task.seed,
            task.start_year,
            MemberPaths(task.scratch, task.member),
            threads=task.threads,
            asked=self._ground.asked if task.years <= self._network.longest_years else None,
            tick=tick,
        )


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
        (runner or _runner(task)).member(task, tick).years(task.years)
    return task.member


def roll_shared(
    tasks: Sequence[MemberTask], executor: Executor, parts: int, done: Callable[[int, int], None]
) -> None:
    """Forecast fewer members than there are workers: these share the painting of each.

    Args:
        tasks: One a member.
        executor: Of the workers.
        parts: Into how many the blocks of a member are parted.
        done: Called with how many parts of how many are painted, of the years in work.
    """
    runner = MemberRunner(tasks[0])
    while True:
        decided = [item for item in executor.map(_decide, tasks) if item[1]]
        if not decided:
            return
        work = [(*item, part, parts) for item in decided for part in range(parts)]
        for count, _ in enumerate(executor.map(_paint, work), start=1):
            done(count, len(work))
        for task, horizons in decided:
            runner.member(task).finish(horizons)


def _decide(task: MemberTask) -> tuple[MemberTask, range]:
    with one_thread():
        return task, _runner(task).member(task).decide(task.years)


def _paint(work: tuple[MemberTask, range, int, int]) -> None:
    task, horizons, part, parts = work
    with one_thread():
        _runner(task).member(task).paint(horizons, part, parts)


def _runner(task: MemberTask) -> MemberRunner:
    """That of this process, whose models and maps serve one task after the other."""
    read = (task.scratch / "ground.json").stat().st_mtime_ns
    return _runner_of(replace(task, member=0), read)


@lru_cache(maxsize=1)
def _runner_of(task: MemberTask, _read: int) -> MemberRunner:
    return MemberRunner(task)
