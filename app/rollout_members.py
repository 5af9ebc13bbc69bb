"""Members by models that learnt every difference between two dates, year after year."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import numpy as np

from forecast.colours import LandColours
from forecast.evaluation.change import CHANGE_THRESHOLD
from forecast.pretrained import load_model
from forecast.region import RegionStepper, Tick
from forecast.rollout import rollout
from forecast.states.changes import Changes
from forecast.states.member import MemberPaths
from preprocessing.cells import cell_means
from preprocessing.io import blocks
from sr.lift import ESRGANLift
from sr.pretrained import load_network

if TYPE_CHECKING:
    from app.members import MemberTask

__all__ = ["RolloutRunner"]


class RolloutRunner:
    """Runs members by a model that carries an image one year ahead.

    Args:
        task: One of the tasks.
    """

    def __init__(self, task: MemberTask) -> None:
        self._start = np.load(task.scratch / "start.npy", mmap_mode="r")
        self._stepper = RegionStepper(
            load_model(task.model),
            ESRGANLift(load_network()),
            height=self._start.shape[1],
            width=self._start.shape[2],
            gsd_m=task.grid.gsd_m,
            land=LandColours.load(task.model),
        )
        self.ticks = self._stepper.ticks

    def run(self, task: MemberTask, tick: Tick | None) -> None:
        """Forecast the years of a member that are not there yet."""
        years = range(task.start_year + 1, task.start_year + task.years + 1)
        paths = MemberPaths(task.scratch, task.member)
        if all(paths.state(year).exists() for year in years):
            return
        states = task.scratch / f"states_{task.member:03}"
        present = cell_means(self._start)
        for year, image in rollout(
            self._stepper,
            self._start,
            states,
            seed=task.seed,
            member=task.member,
            start_year=task.start_year,
            years=task.years,
            tick=tick,
        ):
            part = task.scratch / f".member_{task.member:03}.part.npy"
            stored = np.lib.format.open_memmap(
                part,
                mode="w+",
                dtype=task.encoding.dtype,
                shape=(3, task.grid.height, task.grid.width),
            )
            for window in blocks(task.grid):
                at = (slice(None), *window.slices)
                stored[at] = task.encoding.encode(image[at])
            stored.flush()
            changed = np.abs(cell_means(image) - present).mean(axis=0) > CHANGE_THRESHOLD
            likely = changed.astype(np.float32)
            Changes(changed, present, np.zeros_like(likely), likely).save(paths.changes(year))
            os.replace(part, paths.state(year))
        shutil.rmtree(states, ignore_errors=True)
