"""Runs: all of them, one, its progress; cancel, resume and delete it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

from fastapi import APIRouter, Response
from fastapi.sse import EventSourceResponse

from app.api.dependencies import GivenRun, HeldRuns, RunId
from app.api.problems import problems
from app.runs import Run, RunNotFoundError

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/runs")

_LOOK = 0.25
"""Seconds between two looks at a run that is watched."""


@router.get("", responses=problems())
def all_runs(runs: HeldRuns) -> list[Run]:
    """All runs, the newest first."""
    return runs.all


@router.get("/{run}", responses=problems(404))
def one_run(run: GivenRun) -> Run:
    """How a run stands, and how far it is."""
    return run


@router.delete(
    "/{run}",
    response_model=Run,
    responses={204: {"description": "It had ended, and is deleted."}, **problems(403, 404, 409)},
)
def end_run(run: GivenRun, runs: HeldRuns) -> Run | Response:
    """Cancel a run that has not ended, or delete one that has, with its result."""
    if not run.state.ended:
        return runs.cancel(run.id)
    runs.remove(run.id)
    return Response(status_code=204)


@router.post("/{run}/resume", status_code=202, responses=problems(403, 404, 409, 429))
def resume_run(run: RunId, runs: HeldRuns) -> Run:
    """Go on with a run that failed or was cancelled; the pixels are those of one that never was."""
    return runs.resume(run)


@router.get("/{run}/events", response_class=EventSourceResponse, responses=problems(404))
async def watch_run(run: GivenRun, runs: HeldRuns) -> AsyncIterable[Run]:
    """Server-sent events: the run whenever it changes, until it has ended."""
    yield run
    while not run.state.ended:
        await asyncio.sleep(_LOOK)
        try:
            now = runs.get(run.id)
        except RunNotFoundError:
            return
        if now != run:
            yield now
        run = now
