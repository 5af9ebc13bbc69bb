"""A run as others see it: its state, how far it is, why it failed."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Clock", "Kind", "Run", "Stage", "State", "now"]


class State(StrEnum):
    """Where a run stands.

    Attributes:
        queued: It waits for a slot.
        running: A worker carries it out.
        interrupted: The server ended while it ran; it waits for a slot, to go on.
        cancelled: Somebody stopped it.
        failed: It cannot be carried out; the message says why.
        done: The result is there.
    """

    queued = "queued"
    running = "running"
    interrupted = "interrupted"
    cancelled = "cancelled"
    failed = "failed"
    done = "done"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens unless somebody asks for it."""
        return self in (State.cancelled, State.failed, State.done)


class Kind(StrEnum):
    """What a run makes.

    Attributes:
        forecast: A forecast of images.
        fetch: Images of a place by year, from a STAC catalogue.
    """

    forecast = "forecast"
    fetch = "fetch"


@dataclass(frozen=True)
class Stage:
    """How far a running run is.

    Attributes:
        name: What is done: reading, forecasting, writing; searching, fetching.
        done: Parts of it that are done.
        total: Parts of it.
        seconds_left: Until this stage is done, as far as its pace so far tells.
    """

    name: str
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        id: Its name in addresses and in the folder of runs.
        state: Where it stands.
        created: When it was asked for.
        started: When a worker last began with it.
        ended: When it was done, failed or cancelled.
        stage: How far it is while it runs.
        message: Why it failed.
        kind: What it makes.
    """

    id: str
    state: State
    created: dt.datetime
    started: dt.datetime | None = None
    ended: dt.datetime | None = None
    stage: Stage | None = None
    message: str | None = None
    kind: Kind = Kind.forecast


def now() -> dt.datetime:
    """This moment, in UTC."""
    return dt.datetime.now(dt.UTC)


class Clock:
    """Tells from the pace of a stage how long it takes yet."""

    def __init__(self) -> None:
        self._stage, self._first, self._began = "", 0, 0.0

    def stage(self, name: str, done: int, total: int) -> Stage:
        """How far a stage is now."""
        here = time.monotonic()
        if name != self._stage or done < self._first:
            self._stage, self._first, self._began = name, done, here
        if done == self._first:
            return Stage(name, done, total)
        pace = (here - self._began) / (done - self._first)
        return Stage(name, done, total, round(pace * (total - done), 1))
