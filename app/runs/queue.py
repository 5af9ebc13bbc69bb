"""The runs of a server: which wait, which are carried out, and what became of the others."""

from __future__ import annotations

import logging
import re
import shutil
import threading
from collections import Counter, deque
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from app.forecasts.request import ForecastRequest
from app.runs.errors import (
    QueueFullError,
    RunNotFoundError,
    RunStateError,
    WorkerEndedError,
)
from app.runs.folder import RunFolder, drafted
from app.runs.kept import held_folder, kept_runs
from app.runs.process import WorkerProcess
from app.runs.requests import check_request
from app.runs.run import Clock, Run, State, now
from app.runs.settings import ServerSettings
from preprocessing.errors import RequestError
from preprocessing.fetch import FetchRequest

__all__ = ["Runs"]

_log = logging.getLogger(__name__)
_FAILED = "landcast failed; the log of the run tells why"


class Runs:
    """The runs in a folder, for as long as the server is in this context.

    A thread for each slot has its runs carried out by a process of its own. What changes the state
    of a run holds the one lock; how a run stands is on disk, how far it is only here. Runs that
    were waiting or running when the last server ended come first.

    Attributes:
        root: The folder, absolute.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self.root = settings.runs.expanduser().absolute()
        self._runs: dict[str, Run] = {}
        self._waiting: deque[str] = deque()
        self._working: dict[str, WorkerProcess] = {}
        self._cancelled: set[str] = set()
        self._stopping = False
        self._changed = threading.Condition()
        self._held = ExitStack()

    def plain(self, error: Exception) -> str:
        """What an error says, without where files lie on the server."""
        return re.sub(rf"{re.escape(str(self.root))}/[0-9a-f]+/(uploads/)?", "", str(error))

    def __enter__(self) -> Self:
        """Take the folder and begin.

        Raises:
            RunsInUseError: Another server has it.
            RequestError: It cannot be written.
        """
        self._held.enter_context(held_folder(self.root))
        with self._changed:
            self._load()
        slots = range(self._settings.slots)
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in slots]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; runs that are being carried out are interrupted."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            workers = list(self._working.values())
        for worker in workers:
            worker.kill()
        for thread in self._threads:
            thread.join()
        self._held.close()

    @property
    def all(self) -> list[Run]:
        """All runs, the newest first."""
        with self._changed:
            return sorted(self._runs.values(), key=lambda run: run.created, reverse=True)

    @property
    def waiting(self) -> int:
        """How many runs wait."""
        return len(self._waiting)

    @property
    def counts(self) -> dict[State, int]:
        """How many runs there are in each state."""
        with self._changed:
            found = Counter(run.state for run in self._runs.values())
        return {state: found[state] for state in State}

    def get(self, name: str) -> Run:
        """A run by its id.

        Raises:
            RunNotFoundError: There is none.
        """
        run = self._runs.get(name)
        if run is None:
            raise RunNotFoundError("expected the id of a run, there is none of this one")
        return run

    def folder(self, name: str) -> RunFolder:
        """The folder of a run.

        Raises:
            RunNotFoundError: There is none.
        """
        return RunFolder(self.root / self.get(name).id)

    def draft(self) -> AbstractContextManager[RunFolder]:
        """A new folder for uploads, which goes again unless it is submitted.

        Raises:
            QueueFullError: No further run may wait.
        """
        self._check_room()
        return drafted(self.root)

    def submit(self, folder: RunFolder, request: ForecastRequest | FetchRequest) -> Run:
        """Have a forecast made, or imagery fetched, when its turn comes.

        Args:
            folder: A draft.
            request: What is asked for; its paths are seen from that folder.

        Raises:
            QueueFullError: No further run may wait.
            RequestError: See `check_request`.
        """
        check_request(folder.path, request, self._settings)
        folder.write_request(request)
        with self._changed:
            self._check_room()
            run = Run(folder.path.name, State.queued, now(), kind=folder.kind)
            folder.write_state(run)
            self._runs[run.id] = run
            self._waiting.append(run.id)
            self._changed.notify_all()
        return run

    def adopt(self, folder: RunFolder) -> Run:
        """Take a run that has ended elsewhere and lies among the others now."""
        run = folder.read_state()
        with self._changed:
            self._runs[run.id] = run
        return run

    def cancel(self, name: str) -> Run:
        """Stop a run that waits or is carried out; what it had written goes.

        Raises:
            RunNotFoundError: There is none.
            RunStateError: It has ended already.
        """
        with self._changed:
            run = self.get(name)
            if run.state.ended:
                raise RunStateError(f"expected a run that has not ended, this one is {run.state}")
            if name in self._waiting:
                self._waiting.remove(name)
                self._put(replace(run, state=State.cancelled, ended=now()))
            else:
                self._cancelled.add(name)
                self._working[name].kill()
                self._changed.wait_for(lambda: self._runs[name].state.ended)
            return self._runs[name]

    def resume(self, name: str) -> Run:
        """Have a run that failed or was cancelled carried out after all.

        What a failed run has done is kept; the pixels are those of a run that never failed.

        Raises:
            RunNotFoundError: There is none.
            RunStateError: It waits, is carried out, or is done.
            QueueFullError: No further run may wait.
        """
        with self._changed:
            run = self.get(name)
            if run.state not in (State.failed, State.cancelled):
                raise RunStateError(
                    f"expected a run that failed or was cancelled, this one is {run.state}"
                )
            self._check_room()
            self._put(replace(run, state=State.queued, ended=None, message=None))
            self._waiting.append(name)
            return self._runs[name]

    def remove(self, name: str) -> None:
        """Delete a run that has ended, with its result.

        Raises:
            RunNotFoundError: There is none.
            RunStateError: It has not ended.
        """
        with self._changed:
            run = self.get(name)
            if not run.state.ended:
                raise RunStateError(
                    f"expected a run that has ended, this one is {run.state}; cancel it first"
                )
            folder = self.folder(name)
            folder.state.unlink()
            del self._runs[name]
        shutil.rmtree(folder.path)

    def _check_room(self) -> None:
        if len(self._waiting) >= self._settings.queue:
            raise QueueFullError(
                f"expected fewer than {self._settings.queue} runs in the queue, it is full; try "
                "again later"
            )

    def _load(self) -> None:
        """Read the runs that are there, and put those that have not ended into the queue."""
        self._runs = kept_runs(self.root)
        for run in reversed(self.all):
            if run.state is State.running:
                self._put(replace(run, state=State.interrupted, stage=None))
            if not run.state.ended:
                self._waiting.append(run.id)

    def _serve(self) -> None:
        """Carry out runs, one after another, until the server stops."""
        worker = WorkerProcess()
        while (run := self._next(worker)) is not None:
            state, message = self._carry_out(run, worker)
            with self._changed:
                del self._working[run.id]
                if state is State.cancelled:
                    shutil.rmtree(self.folder(run.id).result, ignore_errors=True)
                self._cancelled.discard(run.id)
                ended = now() if state.ended else None
                run = replace(self._runs[run.id], state=state, message=message, ended=ended)
                self._put(replace(run, stage=None))
        worker.kill()

    def _next(self, worker: WorkerProcess) -> Run | None:
        """Wait for a run; None where the server stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._waiting)
            if self._stopping:
                return None
            worker.start()
            run = self._runs[self._waiting.popleft()]
            self._working[run.id] = worker
            self._put(replace(run, state=State.running, started=now()))
            return run

    def _carry_out(self, run: Run, worker: WorkerProcess) -> tuple[State, str | None]:
        """Have a run carried out; returns what became of it, and why it failed."""
        clock = Clock()

        def report(stage: str, done: int, total: int) -> None:
            reached = clock.stage(stage, done, total)
            with self._changed:
                self._runs[run.id] = replace(self._runs[run.id], stage=reached)

        try:
            worker.run([run.kind, str(self.folder(run.id).path)], report)
        except RequestError as err:
            return State.failed, str(err)
        except WorkerEndedError as err:
            if run.id in self._cancelled:
                return State.cancelled, None
            if self._stopping:
                return State.interrupted, None
            _log.warning("run %s: %s", run.id, err)
            return State.failed, _FAILED
        return State.done, None

    def _put(self, run: Run) -> None:
        """Change how a run stands."""
        self._runs[run.id] = run
        try:
            RunFolder(self.root / run.id).write_state(run)
        except OSError:  # A full disk must not stop the others; the next server takes it up again.
            _log.exception("the state of run %s could not be written", run.id)
        self._changed.notify_all()
