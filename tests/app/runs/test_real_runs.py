"""Runs by real workers: what fails, what is killed, what goes on to the same pixels."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from fake_results import write
from fetch_cases import add_sentinel, ask, ground
from run_cases import ended, place, submit, wait_for
from servers.stac_catalogue import running_catalogue

from app.forecasts.request import ForecastRequest
from app.forecasts.results import ForecastFolder
from app.runs import Run, RunFolder, Runs, ServerSettings, State
from app.runs.folder import RESULT
from preprocessing.fetch import fetch_years
from preprocessing.rasters.io import read_raster

ASKED: dict[str, Any] = {"years": 2, "members": 6, "seed": 5}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with Runs(ServerSettings(runs=tmp_path_factory.mktemp("server") / "runs")) as held:
        yield held


@pytest.fixture(scope="module")
def straight(runs: Runs) -> RunFolder:
    """A run that nothing came between."""
    run = submit(runs, **ASKED)
    assert ended(runs, run).state is State.done
    return runs.folder(run.id)


def rasters(folder: RunFolder) -> dict[str, bytes]:
    """Every raster of a result."""
    found = sorted(folder.result.glob("*.tif"))
    assert len(found) == 9
    return {path.name: path.read_bytes() for path in found}


def worker_of(server: int) -> psutil.Process:
    """The worker that was started last: other tests of this process may have one."""
    found = [
        process
        for process in psutil.Process(server).children()
        if "app.runs.worker" in process.cmdline()
    ]
    return max(found, key=psutil.Process.create_time)


def test_a_run_leaves_a_forecast_that_does_not_tell_where_it_lies(straight: RunFolder) -> None:
    result = ForecastFolder.open(straight.result)
    assert (result.start_year, result.years, result.members) == (2020, (2021, 2022), 6)
    assert read_raster(result.path("forecast", 2022)).data.std() > 0
    assert str(straight.path) not in (result.folder / "run.json").read_text()


def test_what_the_worker_refuses_is_told_in_one_sentence(runs: Runs) -> None:
    with runs.draft() as folder:
        unseen = np.zeros((96, 128), bool)
        path = write(folder.uploads / "a_2020.tif", np.zeros((3, 96, 128), np.uint8), valid=unseen)
        images = (path.relative_to(folder.path),)
        failed = ended(runs, runs.submit(folder, ForecastRequest(images=images, out=RESULT)))
    assert failed.state is State.failed
    assert failed.message is not None
    assert failed.message.startswith("expected an image")
    assert str(runs.root) not in failed.message


@pytest.mark.slow
def test_a_killed_worker_fails_its_run_which_then_goes_on(runs: Runs, straight: RunFolder) -> None:
    run = submit(runs, **ASKED)
    wait_for(lambda: (stage := runs.get(run.id).stage) is not None and stage.name == "forecasting")
    worker_of(os.getpid()).kill()
    failed = ended(runs, run)
    assert failed.message == "landcast failed; the log of the run tells why"
    runs.resume(run.id)
    assert ended(runs, run).state is State.done
    assert rasters(runs.folder(run.id)) == rasters(straight)
    told = json.loads((runs.folder(run.id).result / "run.json").read_text())
    assert told["resumed"]


def test_a_cancelled_run_ends_its_worker_and_leaves_nothing(runs: Runs) -> None:
    run = submit(runs, years=5, members=50)
    wait_for(lambda: (stage := runs.get(run.id).stage) is not None and stage.done > 2)
    worker = worker_of(os.getpid())
    assert runs.cancel(run.id).state is State.cancelled
    assert not worker.is_running()
    assert not runs.folder(run.id).result.exists()


class Server:
    """`landcast serve` as a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("localhost", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
        self.process = subprocess.Popen([*command, "--port", str(port), "--runs", str(folder)])
        self.address = f"http://localhost:{port}"
        wait_for(self._answers)

    def kill(self) -> None:
        """By SIGKILL, until its worker is gone too."""
        worker = worker_of(self.process.pid)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def state(self, run: RunFolder) -> str:
        return str(self.get(f"/api/v1/runs/{run.path.name}")["state"])

    def stage(self, run: RunFolder) -> str | None:
        found = self.get(f"/api/v1/runs/{run.path.name}")["stage"]
        return None if found is None else str(found["name"])

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=10) as answer:
            return json.load(answer)

    def _answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return bool(self.get("/health"))
        except OSError:
            return False


@pytest.mark.slow
def test_a_killed_server_leaves_a_run_that_goes_on_to_the_same_pixels(
    tmp_path: Path, straight: RunFolder
) -> None:
    run = RunFolder(tmp_path / "runs" / "0123456789ab")
    run.uploads.mkdir(parents=True)
    place(run.uploads / "place_2020.tif")
    run.write_request(straight.read_request())
    run.write_state(Run(run.path.name, State.queued, dt.datetime.now(dt.UTC)))
    server = Server(tmp_path / "runs")
    try:
        wait_for(lambda: server.stage(run) == "forecasting")
        server.kill()
        assert run.read_state().state is State.running
        assert (run.result / ".partial" / "request.json").exists()
        server = Server(tmp_path / "runs")
        wait_for(lambda: server.state(run) == "done")
    finally:
        server.stop()
    assert rasters(run) == rasters(straight)
    assert json.loads((run.result / "run.json").read_text())["resumed"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_killed_server_leaves_a_fetch_that_goes_on_to_the_same_images(tmp_path: Path) -> None:
    """The catalogue keeps the second year back until the server was killed and started again."""
    run, other = (RunFolder(tmp_path / "runs" / name) for name in ("0123456789ab", "0123456789ac"))
    run.uploads.mkdir(parents=True)
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with running_catalogue(folder) as made:
        for year in (2018, 2020):
            add_sentinel(made, f"s{year}", f"{year}-07-03", ground(year))
        asked = ask(made, RESULT, (2018, 2020), timeout_s=60.0)
        straight = fetch_years(replace(asked, out=tmp_path / "straight")).folder
        made.troubles.hanging.add("s2020")
        made.asked.clear()
        run.write_request(asked)
        waiting = Run(run.path.name, State.queued, dt.datetime.now(dt.UTC), kind=run.kind)
        run.write_state(waiting)
        server = Server(tmp_path / "runs")
        try:
            wait_for(lambda: made.reads_of("s2020") > 0)
            assert server.stage(run) == "fetching"
            server.kill()
            assert run.read_state().state is State.running
            shutil.copytree(run.path, other.path)  # A second one, which has to wait for the first.
            later = replace(run.read_state(), id=other.path.name, created=dt.datetime.now(dt.UTC))
            other.write_state(later)
            first_year = made.reads_of("s2018")
            server = Server(tmp_path / "runs")
            assert server.state(other) == "interrupted"
            made.troubles.hanging.clear()
            made.troubles.release.set()
            wait_for(lambda: server.state(other) == "done")
            assert server.state(run) == "done"
        finally:
            server.stop()
        assert made.reads_of("s2018") == first_year, "what was there was fetched again"
    images = {path.name: path.read_bytes() for path in straight.glob("*.tif")}
    assert len(images) == 2
    for fetched in (run, other):
        found = fetched.result.glob("*.tif")
        assert {path.name: path.read_bytes() for path in found} == images
