"""Runs of real processes that are killed, or begun twice in one folder."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_cases import kill_worker, pooled, sleep_long
from region_cases import small_lift

import app.forecasts.members
from app.forecasts.request import SCRATCH, ForecastRequest, remove_scratch
from app.forecasts.run import forecast_region
from preprocessing.errors import OutputExistsError, OutputInUseError, WorkerLostError
from preprocessing.running.executor import DaskCluster, LocalPool

# Forked from one process that has imported what a run needs, a run begins at once.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["app.forecasts.run"])


@pytest.fixture(autouse=True)
def _small_lift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.forecasts.members, "load_guided", small_lift)


def run(request: ForecastRequest) -> None:
    app.forecasts.members.load_guided = small_lift
    forecast_region(request)


def begin(request: ForecastRequest) -> Any:
    process = SERVER.Process(target=run, args=(request,))
    process.start()
    return process


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.tif")}


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def request_of(
    make_raster: Callable[..., Path], tiny_model_folder: Path, tmp_path: Path
) -> Callable[..., ForecastRequest]:
    @cache
    def region(height: int) -> Path:
        return make_raster("region_2020.tif", height=height, width=128)

    def make(out: str, *, height: int = 128, **options: Any) -> ForecastRequest:
        return ForecastRequest(
            images=(region(height),),
            out=tmp_path / out,
            years=2,
            model=str(tiny_model_folder),
            save_members=True,
            **{"members": 2, **options},
        )

    return make


@pytest.mark.slow
def test_a_run_killed_at_any_moment_resumes_to_the_same_result(
    request_of: Callable[..., ForecastRequest], tmp_path: Path
) -> None:
    process = begin(request_of("whole"))
    process.join()
    assert process.exitcode == 0
    begun = time.monotonic()
    begin(request_of("again")).join()
    seconds = time.monotonic() - begun
    expected = bytes_of(tmp_path / "whole")
    moments = np.random.default_rng(0).uniform(0.05, 0.9, 10)
    killed = 0
    for number, moment in enumerate(np.sort(moments)):
        out = f"killed_{number}"
        begun = time.monotonic()
        process = begin(request_of(out))
        process.join(float(moment) * seconds)
        if process.exitcode == 0:
            seconds = time.monotonic() - begun  # The machine is quicker than before.
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        folder = tmp_path / out
        resume = (folder / SCRATCH / "request.json").exists()
        forecast_region(request_of(out, resume=resume))
        assert bytes_of(folder) == expected
        assert names(folder) == names(tmp_path / "whole")
    assert killed >= 5


def test_a_second_run_in_the_folder_of_the_first_is_refused(
    request_of: Callable[..., ForecastRequest], tmp_path: Path
) -> None:
    process = begin(request_of("race"))
    while not (tmp_path / "race" / SCRATCH / "request.json").exists():
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGSTOP)
    for options in ({"resume": True}, {"overwrite": True}, {}):
        with pytest.raises(OutputInUseError, match=str(process.pid)):
            forecast_region(request_of("race", **options))
    os.kill(process.pid, signal.SIGCONT)
    process.join()
    assert process.exitcode == 0
    forecast_region(request_of("alone"))
    assert bytes_of(tmp_path / "race") == bytes_of(tmp_path / "alone")


def test_a_run_killed_in_its_last_clean_up_is_finished(
    request_of: Callable[..., ForecastRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "out" / SCRATCH

    def killed(folder: Path, **_: object) -> None:
        if (tmp_path / "out" / "collection.json").exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("app.forecasts.request.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            forecast_region(request_of("out"))
    assert (left / "start.npy").exists()
    for options in ({}, {"resume": True}, {"overwrite": True}):
        left.mkdir(exist_ok=True)
        (left / "start.npy").touch()
        assert forecast_region(request_of("out", **options)).years == (2021, 2022)
        assert not left.exists()
    left.mkdir()
    with pytest.raises(OutputExistsError, match="holds files"):
        forecast_region(request_of("out", seed=5))
    remove_scratch(tmp_path / "out")


def test_a_killed_worker_says_how_to_go_on() -> None:
    with pytest.raises(WorkerLostError, match="go on with --resume"):
        list(LocalPool(2).map(kill_worker, [1, 2, 3]))


def test_workers_end_with_the_run_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "late"
    process = SERVER.Process(target=pooled, args=(path,))
    process.start()
    while not path.with_suffix(".begun").exists():
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    time.sleep(2)
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("members", "height"), [(6, 128), (1, 1024)])
def test_what_a_killed_dask_worker_had_to_do_is_done_by_others(
    members: int, height: int, request_of: Callable[..., ForecastRequest], tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        workers = client.run(os.getpid)
        killed: list[int] = []

        def kill(stage: str, done: int, _total: int) -> None:
            if stage == "forecasting" and done == 1:
                killed.append(next(iter(workers.values())))
                os.kill(killed[0], signal.SIGKILL)

        asked = {"members": members, "height": height}
        request = request_of("dask", **asked, dask=cluster.scheduler_address)
        forecast_region(request, progress=kill)
        assert killed
        assert set(client.run(os.getpid).values()) != set(workers.values())
    forecast_region(request_of("alone", **asked))
    assert bytes_of(tmp_path / "dask") == bytes_of(tmp_path / "alone")


def test_a_lost_scheduler_says_how_to_go_on() -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    )
    results = DaskCluster(cluster.scheduler_address).map(sleep_long, [1, 2, 3])
    assert next(results) in (1, 2, 3)
    cluster.close()
    with pytest.raises(WorkerLostError, match="go on with --resume"):
        list(results)
