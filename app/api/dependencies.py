"""What the addresses of the service work on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends, Path, Request

from app.runs import Kind, Run, RunFolder, RunNotFoundError, Runs, ServerSettings, State
from app.runs.errors import RunStateError
from app.runs.short_jobs import ShortJobs
from preprocessing.errors import RequestError

__all__ = [
    "FinishedForecast",
    "FinishedRun",
    "GivenRun",
    "HeldRuns",
    "HeldSettings",
    "HeldShortJobs",
    "RunId",
    "fields_of",
]

RunId = Annotated[str, Path(description="The id of a run.", pattern="^[0-9a-f]{12}$")]


def _runs(request: Request) -> Runs:
    return cast(Runs, request.app.state.runs)


def _settings(request: Request) -> ServerSettings:
    return cast(ServerSettings, request.app.state.settings)


def _short_jobs(request: Request) -> ShortJobs:
    return cast(ShortJobs, request.app.state.short_jobs)


HeldRuns = Annotated[Runs, Depends(_runs)]
HeldSettings = Annotated[ServerSettings, Depends(_settings)]
HeldShortJobs = Annotated[ShortJobs, Depends(_short_jobs)]


def fields_of(*names: str) -> Callable[[Request], Awaitable[None]]:
    """Refuses a form with other fields than these: what is misspelt would be left out unseen."""

    async def check(request: Request) -> None:
        others = sorted(set(await request.form()) - set(names))
        if others:
            raise RequestError(
                f"expected the fields {', '.join(names)}, got {', '.join(others)} too; leave "
                "out or correct what is named so"
            )

    return check


def _given(run: RunId, runs: HeldRuns) -> Run:
    return runs.get(run)


def _finished(run: RunId, runs: HeldRuns) -> RunFolder:
    """The folder of a run that is done.

    Raises:
        RunNotFoundError: There is no such run.
        RunStateError: It is not done.
    """
    state = runs.get(run).state
    if state is not State.done:
        raise RunStateError(f"expected a run that is done, this one is {state}; wait for it")
    return runs.folder(run)


def _forecast(folder: Annotated[RunFolder, Depends(_finished)]) -> RunFolder:
    """The same of a run that made a forecast.

    Raises:
        RunNotFoundError: It made something else.
    """
    if folder.kind is not Kind.forecast:
        raise RunNotFoundError("expected a run that made a forecast, this one fetched imagery")
    return folder


GivenRun = Annotated[Run, Depends(_given)]
FinishedRun = Annotated[RunFolder, Depends(_finished)]
FinishedForecast = Annotated[RunFolder, Depends(_forecast)]
