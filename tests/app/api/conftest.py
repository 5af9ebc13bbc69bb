"""Two services: one with a real run, and one whose runs wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_cases import HeldWorker, ended, place
from service_cases import Service, service_in

import app.runs.queue
from app.runs import State


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With one real run of three years and four members from two images."""
    folder = tmp_path_factory.mktemp("service")
    with service_in(folder) as held:
        images = [place(folder / f"place_{year}.tif", changed=year < 2020) for year in (2018, 2020)]
        answer = held.client.post(
            "/api/v1/forecast",
            files=[("images", (path.name, path.read_bytes())) for path in images],
            data={"years": 3, "members": 4, "save_members": True},
        )
        assert answer.status_code == 202, answer.text
        run = held.runs.get(answer.json()["id"])
        assert ended(held.runs, run).state is State.done, held.runs.get(run.id).message
        held.run = run.id
        yield held


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Whose workers never end."""
    monkeypatch.setattr(HeldWorker, "made", [], raising=False)
    monkeypatch.setattr(app.runs.queue, "WorkerProcess", HeldWorker)
    with service_in(tmp_path) as held:
        yield held
