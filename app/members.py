"""The work item of a forecast: one member, rolled out from the first year not yet done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.colours import LandColours
from forecast.direct import direct_forecasts
from forecast.earlier_images import earlier_path
from forecast.pretrained import load_model
from forecast.region import EarlierImage, RegionStepper
from forecast.rollout import rollout
from preprocessing.grid import Grid
from preprocessing.io import blocks
from preprocessing.raster import Encoding
from sr.lift import ESRGANLift
from sr.pretrained import load_network

__all__ = ["MemberTask", "member_path", "roll_member"]


@dataclass(frozen=True)
class MemberTask:
    """Everything a worker needs to roll out one member.

    Attributes:
        scratch: Folder with the start image; states and stored values go there.
        model: Model folder.
        grid: Grid of the region.
        encoding: How values are stored.
        seed: Seed of the run.
        member: Number of the member.
        start_year: Year of the start image.
        years: Years to forecast.
        steps: Network passes; the model's own default where None.
        history: Years before the start of the earlier images in `scratch`, see `read_earlier`.
        direct: Forecast each year from the start, not from the year before.
    """

    scratch: Path
    model: Path
    grid: Grid
    encoding: Encoding
    seed: int
    member: int
    start_year: int
    years: int
    steps: int | None
    history: tuple[float, ...] = ()
    direct: bool = False


def member_path(scratch: Path, member: int, year: int) -> Path:
    """Where the stored values `(3, height, width)` of a finished member and year lie."""
    return scratch / f"member_{member:03}_{year}.npy"


def stepper_of(task: MemberTask) -> RegionStepper:
    """Load the models and plan the tiles."""
    shape = np.load(task.scratch / "start.npy", mmap_mode="r").shape
    return RegionStepper(
        load_model(task.model),
        ESRGANLift(load_network()),
        height=shape[1],
        width=shape[2],
        gsd_m=task.grid.gsd_m,
        steps=task.steps,
        land=LandColours.load(task.model),
    )


def roll_member(
    task: MemberTask,
    *,
    stepper: RegionStepper | None = None,
    tick: Callable[[], None] | None = None,
) -> int:
    """Roll one member out, keeping each year as stored values in the scratch folder.

    Args:
        task: What to do; years that are already there are not done again.
        stepper: To share loaded models between tasks of one process.
        tick: Called after each batch of work.

    Returns:
        The number of the member.
    """
    years = range(task.start_year + 1, task.start_year + task.years + 1)
    states = task.scratch / f"states_{task.member:03}"
    missing = [y for y in years if not member_path(task.scratch, task.member, y).exists()]
    if missing:
        for year, state in _images(task, stepper or stepper_of(task), states, missing, tick):
            part = task.scratch / f".member_{task.member:03}.part.npy"
            stored = np.lib.format.open_memmap(
                part,
                mode="w+",
                dtype=task.encoding.dtype,
                shape=(3, task.grid.height, task.grid.width),
            )
            for window in blocks(task.grid):
                at = (slice(None), *window.slices)
                stored[at] = task.encoding.encode(state[at])
            stored.flush()
            os.replace(part, member_path(task.scratch, task.member, year))
    shutil.rmtree(states, ignore_errors=True)
    return task.member


def _images(
    task: MemberTask,
    stepper: RegionStepper,
    states: Path,
    missing: list[int],
    tick: Callable[[], None] | None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    start = np.load(task.scratch / "start.npy", mmap_mode="r")
    history = [
        EarlierImage(np.load(earlier_path(task.scratch, number), mmap_mode="r"), years)
        for number, years in enumerate(task.history)
    ]
    whose = {"seed": task.seed, "member": task.member, "start_year": task.start_year}
    if task.direct:
        return direct_forecasts(
            stepper, start, states, **whose, years=missing, history=history, tick=tick
        )
    return rollout(stepper, start, states, **whose, years=task.years, history=history, tick=tick)
