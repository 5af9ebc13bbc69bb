"""Progress on stderr, so that stdout can be piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from app.cli.printing import one_line

__all__ = ["progress_bars"]

_STEP, _PAUSE_S = 0.1, 5.0


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Bars for a workflow: yields the `(stage, done, total)` callback, one bar a stage.

    Where stderr is no terminal there are lines instead, one each tenth of a stage and at most one
    every five seconds.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),  # names of files may hold brackets
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    if not console.is_terminal:
        yield _Lines()
        return
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as bars:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(one_line(stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


class _Lines:
    """Progress as lines of a log."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}
        self._when = -_PAUSE_S

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say how far a stage is, if that is news."""
        share = done / max(total, 1)
        news = stage not in self._said or share >= self._said[stage] + _STEP
        finished = done >= total and self._said.get(stage, 0.0) < 1.0
        now = time.monotonic()
        if finished or (news and now - self._when >= _PAUSE_S):
            self._said[stage], self._when = share, now
            sys.stderr.write(f"{one_line(stage)} {done} of {total}\n")
            sys.stderr.flush()
