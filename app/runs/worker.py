"""The process that does the server's work: `python -m app.runs.worker`, see `WorkerProcess`.

It reads jobs from its standard input, a list of strings in JSON on each line:
`["forecast", FOLDER]` or `["fetch", FOLDER]` for the folder of a run, `["upscale", SOURCE, OUT]`
(and the values of black and white where the file does not say them),
`["compare", FOLDER, OUT]` for a folder of pictures, or `["zones", FOLDER, POLYGONS, OUT]` for the
result of a forecast. It answers with lines too: `["progress", STAGE, DONE, TOTAL]`, and at the end
`["done"]` or `["refused", MESSAGE]`. It ends where its input does, and after any failure that is
nobody's request.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.runs.folder import RunFolder

__all__ = ["main"]

_EVERY = 0.2
"""Seconds between two reports of progress within a stage."""
_PATIENCE = 60.0
"""Seconds to wait for the worker of a killed server to let go of a run."""


def main() -> None:
    """Carry out jobs until there are no more to come."""
    jobs: queue.Queue[list[str]] = queue.Queue()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # What libraries print is no answer.
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    from preprocessing.errors import FetchError, RequestError

    def say(*answer: str | int) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    while True:
        kind, *names = jobs.get()
        try:
            paths = [Path(name) for name in names]
            if kind in _RUNS:
                _run(_RUNS[kind], paths[0], _Reporter(say))
            else:
                _WAITED[kind](*paths)
        except (RequestError, FetchError) as err:
            logging.getLogger(__name__).warning("refused: %s", err)
            say("refused", str(err))
        except BaseException:
            logging.getLogger(__name__).exception("the job failed")
            os._exit(1)
        else:
            say("done")


def _listen(jobs: queue.Queue[list[str]]) -> None:
    """Take jobs from the server; where it is gone there is nobody left to work for."""
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)


class _Reporter:
    """Reports progress, but not too often."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say, self._stage, self._last = say, "", 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage or done >= total or now - self._last >= _EVERY:
            self._stage, self._last = stage, now
            self._say("progress", stage, done, total)


def _run(work: Callable[[RunFolder, _Reporter], None], path: Path, report: _Reporter) -> None:
    """Carry out a run in its folder, or go on with it."""
    from app.runs.folder import RunFolder
    from preprocessing.errors import OutputInUseError

    folder = RunFolder(path)
    os.chdir(folder.path)
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    os.close(log)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            work(folder, report)
        except OutputInUseError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return


def _forecast(folder: RunFolder, report: _Reporter) -> None:
    from app.forecasts.request import begun
    from app.workflows import forecast_region

    request = folder.read_request()
    forecast_region(replace(request, resume=begun(request.out)), progress=report)


def _fetch(folder: RunFolder, report: _Reporter) -> None:
    from app.workflows import fetch_imagery

    found = fetch_imagery(folder.read_fetch(), progress=report)
    logging.getLogger(__name__).info("%s", found.as_text())


def _upscale(source: Path, out: Path, *limits: Path) -> None:
    from app.workflows import UpscaleRequest, upscale
    from sr.upscale.bands import UpscaleOptions

    stated = (float(str(limits[0])), float(str(limits[1]))) if limits else None
    upscale(UpscaleRequest(source, out, UpscaleOptions(), value_range=stated))


def _compare(images: Path, out: Path) -> None:
    from app.workflows import ComparisonRequest, compare_methods

    # Each by itself: what does not fit is refused, not left out.
    files = tuple(sorted(str(path) for path in images.rglob("*") if path.is_file()))
    compare_methods(ComparisonRequest(images=files, out=out, levels=(30, None)))


def _zones(folder: Path, polygons: Path, out: Path) -> None:
    from app.workflows import forecast_zones

    forecast_zones(folder, polygons, out)


_RUNS: dict[str, Callable[[RunFolder, _Reporter], None]] = {"forecast": _forecast, "fetch": _fetch}
_WAITED: dict[str, Callable[..., None]] = {
    "upscale": _upscale,
    "compare": _compare,
    "zones": _zones,
}


if __name__ == "__main__":
    main()
