"""What can be wrong with a run that is asked for."""

from __future__ import annotations

from preprocessing.errors import LandcastError, RequestError

__all__ = [
    "QueueFullError",
    "RunNotFoundError",
    "RunStateError",
    "RunsInUseError",
    "WorkerEndedError",
]


class QueueFullError(RequestError):
    """As many runs wait as may wait; asking again later may help."""


class RunNotFoundError(RequestError):
    """There is no such run, or it has no such file."""


class RunStateError(RequestError):
    """A run is not in a state for what is asked of it."""


class RunsInUseError(RequestError):
    """Another server has the folder of runs."""


class WorkerEndedError(LandcastError):
    """A worker ended before its job was done."""
