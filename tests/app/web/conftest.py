"""Pages over runs in a temporary folder, whose workers do what a test says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from browser_cases import CHROMIUM, FLAGS, served_app
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`landcast app` with the real model."""
    with served_app(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
