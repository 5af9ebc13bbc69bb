"""Runs that wait, are carried out and end, with workers that do what a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from run_cases import HeldWorker, ended, place, running, submit, wait_for

import app.runs.queue
from app.forecasts.request import ForecastRequest
from app.runs import (
    QueueFullError,
    RunNotFoundError,
    Runs,
    RunsInUseError,
    RunStateError,
    ServerSettings,
    State,
)
from app.runs.errors import WorkerEndedError
from app.runs.folder import RESULT
from preprocessing.errors import RequestError, TooLargeError, UnreadableRasterError


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    monkeypatch.setattr(HeldWorker, "made", [], raising=False)
    monkeypatch.setattr(app.runs.queue, "WorkerProcess", HeldWorker)
    return ServerSettings(runs=tmp_path / "runs", queue=2)


@pytest.fixture
def runs(settings: ServerSettings) -> Iterator[Runs]:
    with Runs(settings) as held:
        yield held


def worker() -> HeldWorker:
    wait_for(lambda: bool(HeldWorker.made))
    return HeldWorker.made[0]


def on_disk(runs: Runs, name: str) -> str:
    return str(json.loads((runs.folder(name).path / "state.json").read_text())["state"])


def test_a_run_waits_is_carried_out_and_is_done(runs: Runs) -> None:
    first, second = submit(runs), submit(runs)
    running(runs, first)
    assert runs.get(second.id).state is State.queued
    assert [run.id for run in runs.all] == [second.id, first.id]
    assert (runs.waiting, runs.counts[State.running]) == (1, 1)
    assert on_disk(runs, first.id) == "running"
    worker().go()
    done = ended(runs, first)
    assert done.state is State.done
    assert done.ended is not None
    assert done.stage is None
    running(runs, second)
    assert [Path(job[1]).name for job in worker().jobs] == [first.id, second.id]


def test_progress_tells_the_stage_and_the_time_it_takes_yet(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("app.runs.run.time.monotonic", lambda: now[0])
    run = submit(runs)
    wait_for(lambda: worker().report is not None)
    report = worker().report
    assert report is not None
    report("reading", 1, 1)
    report("forecasting", 4, 20)  # A resumed run does not begin at nothing.
    stage = runs.get(run.id).stage
    assert (stage.name, stage.done, stage.total, stage.seconds_left) == ("forecasting", 4, 20, None)
    now[0] = 6.0
    report("forecasting", 8, 20)
    assert runs.get(run.id).stage.seconds_left == 18.0


def test_a_full_queue_refuses_further_runs_and_keeps_nothing_of_them(runs: Runs) -> None:
    running(runs, submit(runs))
    submit(runs)
    submit(runs)
    with pytest.raises(QueueFullError, match="expected fewer than 2"):
        submit(runs)
    assert len(list(runs.root.glob("*/"))) == 3


def test_runs_asked_for_at_once_never_exceed_the_queue(runs: Runs) -> None:
    running(runs, submit(runs))
    refused = []

    def ask() -> None:
        try:
            submit(runs)
        except QueueFullError:
            refused.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (runs.waiting, len(refused), len(runs.all)) == (2, 6, 3)


def test_a_waiting_run_is_cancelled(runs: Runs) -> None:
    running(runs, submit(runs))
    waiting = submit(runs)
    assert runs.cancel(waiting.id).state is State.cancelled
    assert runs.waiting == 0
    assert on_disk(runs, waiting.id) == "cancelled"
    with pytest.raises(RunStateError, match="cancelled"):
        runs.cancel(waiting.id)


def test_a_running_run_is_cancelled_and_what_it_wrote_goes(runs: Runs) -> None:
    run, later = submit(runs), submit(runs)
    running(runs, run)
    runs.folder(run.id).result.mkdir()
    assert runs.cancel(run.id).state is State.cancelled
    assert not runs.folder(run.id).result.exists()
    running(runs, later)  # The slot goes on.
    worker().go()
    assert ended(runs, later).state is State.done


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RequestError("expected more, got less"), "expected more, got less"),
        (WorkerEndedError("code 1"), "landcast failed; the log of the run tells why"),
    ],
)
def test_a_failed_run_says_why_in_one_sentence_and_can_be_resumed(
    runs: Runs, error: Exception, message: str
) -> None:
    run = submit(runs)
    running(runs, run)
    worker().go(error)
    failed = ended(runs, run)
    assert (failed.state, failed.message) == (State.failed, message)
    assert runs.resume(run.id).state in (State.queued, State.running)
    running(runs, run)
    worker().go()
    assert ended(runs, run).state is State.done
    assert runs.get(run.id).message is None
    with pytest.raises(RunStateError, match="done"):
        runs.resume(run.id)


def test_only_what_has_ended_is_deleted(runs: Runs) -> None:
    run = submit(runs)
    running(runs, run)
    with pytest.raises(RunStateError, match="cancel it first"):
        runs.remove(run.id)
    worker().go()
    folder = runs.folder(ended(runs, run).id).path
    runs.remove(run.id)
    assert not folder.exists()
    with pytest.raises(RunNotFoundError):
        runs.get(run.id)


def test_the_next_server_goes_on_with_what_the_last_one_left(settings: ServerSettings) -> None:
    with Runs(settings) as runs:
        done, cut, waiting = submit(runs), submit(runs), submit(runs)
        running(runs, done)
        worker().go()
        running(runs, cut)
        draft = runs.root / "0123456789ab"
        (draft / "uploads").mkdir(parents=True)
        (runs.root / "notes").mkdir()
        foreign = runs.root / "202501011200" / "important.tif"
        foreign.parent.mkdir()
        foreign.touch()
    HeldWorker.made.clear()
    with Runs(replace(settings, slots=1)) as runs:
        running(runs, cut)
        assert runs.get(done.id).state is State.done
        assert runs.get(waiting.id).state is State.queued
        assert not draft.exists()
        assert (runs.root / "notes").exists()
        assert foreign.exists()


def test_a_run_that_was_cut_off_is_shown_as_interrupted(settings: ServerSettings) -> None:
    with Runs(settings) as runs:
        cut, busy = submit(runs), submit(runs)
        running(runs, cut)
        state = runs.folder(busy.id).state
    # As a killed server leaves it: what ran says that it runs.
    state.write_text(state.read_text().replace("queued", "running"))
    HeldWorker.made.clear()
    with Runs(settings) as runs:
        running(runs, cut)
        assert runs.get(busy.id).state is State.interrupted
        assert runs.cancel(busy.id).state is State.cancelled


def test_two_servers_do_not_share_a_folder(runs: Runs, settings: ServerSettings) -> None:
    with pytest.raises(RunsInUseError, match=r"another one has .*--runs"), Runs(settings):
        pass


def test_a_forecast_that_is_too_much_is_refused_at_once(settings: ServerSettings) -> None:
    few = replace(settings, work=2 * 96 * 128)
    with Runs(few) as runs:
        submit(runs)
        with pytest.raises(TooLargeError, match="at most 24,576, got 36,864"):
            submit(runs, members=3)


@pytest.mark.parametrize(
    ("content", "pixels", "error"),
    [(b"<svg/>", 10**6, UnreadableRasterError), (None, 1000, TooLargeError)],
)
def test_an_upload_that_is_no_image_or_too_large_is_refused(
    settings: ServerSettings, content: bytes | None, pixels: int, error: type[Exception]
) -> None:
    with Runs(replace(settings, pixels=pixels)) as runs:
        with runs.draft() as folder:
            path = folder.uploads / "a_2020.tif"
            if content is None:
                place(path)
            else:
                path.write_bytes(content)
            with pytest.raises(error):
                runs.submit(folder, ForecastRequest(images=(path,), out=RESULT))
        assert not list(runs.root.glob("*/"))
