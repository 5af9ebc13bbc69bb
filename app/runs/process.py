"""A process that carries out jobs for the server, one after another."""

from __future__ import annotations

import json
import subprocess
import sys

from app.runs.errors import WorkerEndedError
from preprocessing.errors import RequestError
from preprocessing.running.progress import Progress, untold

__all__ = ["WorkerProcess"]


class WorkerProcess:
    """Runs `app.runs.worker`, which stays ready for the next job once it has loaded the models.

    Jobs and what becomes of them go through pipes, a line of JSON each. The worker ends when its
    pipe closes, and so with the server, however that ends.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process, unless it is there."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.runs.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # An interrupt from the keyboard is the server's alone.
            )

    def run(self, job: list[str], progress: Progress = untold) -> None:
        """Have a job done; `start` comes first.

        Args:
            job: See `app.runs.worker`.
            progress: Called with `(stage, done, total)`.

        Raises:
            RequestError: The job cannot be done as asked.
            WorkerEndedError: The process has ended or was killed.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("expected a started worker")
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                event = json.loads(line)
                if event[0] == "done":
                    return
                if event[0] == "refused":
                    raise RequestError(event[1])
                progress(*event[1:])
        except BrokenPipeError:
            pass
        code = process.wait()
        raise WorkerEndedError(f"the worker ended with {code} before its job was done")

    def kill(self) -> None:
        """End the process, and with it the job that it may have; callable from any thread."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
