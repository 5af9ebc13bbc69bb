"""The HTTP service for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from app.api import create_api
from app.forecasts.results import ForecastFolder
from app.runs import Runs, ServerSettings


@dataclass
class Service:
    """A service and what is in it.

    Attributes:
        client: Asks it.
        runs: Its runs.
        settings: Its settings.
        run: Id of a run that is done, if there is one.
    """

    client: TestClient
    runs: Runs
    settings: ServerSettings
    run: str = ""

    @property
    def result(self) -> ForecastFolder:
        """The result of that run."""
        return ForecastFolder.open(self.runs.folder(self.run).result)

    def get(self, path: str, **more: Any) -> Any:
        """Ask for something of that run."""
        return self.client.get(f"/api/v1/runs/{self.run}{path}", **more)


@contextmanager
def service_in(folder: Path, **settings: Any) -> Iterator[Service]:
    """A service with its runs in a folder, and another folder whose images may be named."""
    (folder / "images").mkdir()
    small = ServerSettings(
        runs=folder / "runs",
        folders=(folder / "images",),
        upload_bytes=3_000_000,
        pixels=1_000_000,
        upscale_pixels=20_000,
        work=10_000_000,
        queue=3,
    )
    small = replace(small, **settings)
    with Runs(small) as runs, TestClient(create_api(small, runs), "http://host") as client:
        yield Service(client, runs, small)


def said(answer: Any, status: int) -> str:
    """What a refusal says, which is a problem document and shows nothing of the inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert set(problem) == {"type", "title", "status", "detail"}
    assert "Traceback" not in answer.text
    assert "/runs/" not in problem["detail"]
    return str(problem["detail"])
