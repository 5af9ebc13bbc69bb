"""Pages over runs in a temporary folder, whose workers do what a test says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from run_cases import HeldWorker

import app.runs.queue
from app.runs import Runs, ServerSettings
from app.runs.short_jobs import ShortJobs
from app.web.demo import add_demo
from app.web.service import Service, provide


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Streamlit makes its script the main module, which processes started later would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A server with the demo, whose runs wait until they are let go."""
    st.cache_data.clear()
    monkeypatch.setattr(HeldWorker, "made", [], raising=False)
    monkeypatch.setattr(app.runs.queue, "WorkerProcess", HeldWorker)
    settings = ServerSettings(runs=tmp_path / "runs", pixels=1_000_000)
    short_jobs = ShortJobs(settings)
    with Runs(settings) as runs:
        add_demo(runs)
        given = Service(settings, runs, short_jobs)
        provide(given)
        yield given
    short_jobs.close()
