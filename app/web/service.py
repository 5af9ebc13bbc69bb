"""What the pages have of the server they belong to: its runs, its settings, its short jobs."""

from __future__ import annotations

from dataclasses import dataclass

from app.runs import Runs, ServerSettings
from app.runs.short_jobs import ShortJobs

__all__ = ["Service", "provide", "service"]


@dataclass(frozen=True)
class Service:
    """The server's own, never a second one.

    Attributes:
        settings: Limits and base path.
        runs: In their context.
        short_jobs: One at a time.
    """

    settings: ServerSettings
    runs: Runs
    short_jobs: ShortJobs


_held: list[Service] = []


def provide(given: Service) -> None:
    """Have the pages of this process work on a server."""
    _held[:] = [given]


def service() -> Service:
    """The server of the pages."""
    return _held[0]
