"""Runs that live on the server, whatever happens to the page that asked for them."""

from app.runs.errors import QueueFullError, RunNotFoundError, RunsInUseError, RunStateError
from app.runs.folder import RunFolder
from app.runs.queue import Runs
from app.runs.run import Kind, Run, Stage, State
from app.runs.settings import ServerSettings

__all__ = [
    "Kind",
    "QueueFullError",
    "Run",
    "RunFolder",
    "RunNotFoundError",
    "RunStateError",
    "Runs",
    "RunsInUseError",
    "ServerSettings",
    "Stage",
    "State",
]
