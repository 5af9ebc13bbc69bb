"""`landcast app` and `landcast serve` as processes of their own."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_results import make_result
from run_cases import wait_for
from websockets.sync.client import connect

from app.runs import Run, RunFolder, State


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as free:
        return int(free.getsockname()[1])


def landcast(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def served(*arguments: str, **environment: str) -> Iterator[str]:
    """A server; yields what its addresses begin with, without the base path."""
    port = free_port()
    server = landcast(*arguments, LANDCAST_PORT=str(port), **environment)
    base = environment.get("LANDCAST_BASE_PATH", "")
    try:
        wait_for(lambda: server.poll() is not None or answers(f"http://localhost:{port}{base}"))
        assert server.poll() is None, server.stderr
        yield f"http://localhost:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        said, failed = server.communicate(timeout=30)
    assert said == f"http://localhost:{port}{base}/\n"
    assert "Traceback" not in failed
    assert server.returncode == 0


def answers(address: str) -> bool:
    try:
        return status(f"{address}/health") == 200
    except OSError:
        return False


def status(address: str, **headers: str) -> int:
    try:
        asked = urllib.request.Request(address, headers=headers)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as err:
        return err.code


def page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return str(answer.read().decode("utf-8"))


def test_pages_and_service_share_a_port_below_a_base_path(tmp_path: Path) -> None:
    below = {"LANDCAST_BASE_PATH": "/land", "LANDCAST_RUNS": str(tmp_path / "runs")}
    run = RunFolder(tmp_path / "runs" / "0123456789ab")
    make_result(run.result)
    run.write_state(Run(run.path.name, State.done, dt.datetime.now(dt.UTC)))
    with served("app", "--headless", **below) as address:
        assert "<title>Streamlit</title>" in page(f"{address}/land/")
        assert re.search(
            r'"first-paint".*<b>2024</b> forecast.*"data:image/webp', page(f"{address}/land/"), re.S
        )
        assert "<b>2024</b> прогноз" in page(f"{address}/land/?lang=ru")
        assert "first-paint" not in page(f"{address}/land/?run={run.path.name}")
        assert page(f"{address}/land/_stcore/health") == "ok"
        assert "maplibre" in page(f"{address}/land/map/map.js")
        assert "MultiPolygon" in page(f"{address}/land/map/land.json")
        with urllib.request.urlopen(f"{address}/land/", timeout=10) as answer:
            early = answer.headers["Link"]
        addresses = [one.removeprefix("<").split(">")[0] for one in early.split(", ")]
        assert all(one.endswith(">; rel=modulepreload") for one in early.split(", "))
        assert "maplibre" in page(f"{address}{addresses[0]}")
        assert any("/BidiComponent." in one for one in addresses)
        assert [status(f"{address}{one}") for one in addresses] == [200] * len(addresses)
        assert run.path.name in page(f"{address}/land/api/v1/runs")
        layer = f"{address}/land/tiles/{run.path.name}/forecast/2021"
        assert json.loads(page(f"{layer}/tilejson.json"))["tiles"] == [
            f"{layer}/{{z}}/{{x}}/{{y}}.png"
        ]
        assert status(f"{layer}/3/4/2.png") == 200
        assert status(f"{address}/land/api/v1/nothing") == 404
        assert status(f"{address}/api/v1/runs") == 404
        with connect(f"{address.replace('http', 'ws')}/land/_stcore/stream") as stream:
            assert stream.protocol.state.name == "OPEN"
        assert (tmp_path / "runs" / ".landcast.lock").exists()
    assert not (tmp_path / "runs" / ".landcast.lock").exists()


def test_the_service_alone_has_no_pages(tmp_path: Path) -> None:
    with served("serve", XDG_DATA_HOME=str(tmp_path)) as address:
        assert status(address) == 404
        assert page(f"{address}/api/v1/runs") == "[]"
        assert (tmp_path / "landcast" / "runs").is_dir()


def test_with_a_token_pages_are_closed_too(tmp_path: Path) -> None:
    locked = {"LANDCAST_TOKEN": "sesame", "LANDCAST_RUNS": str(tmp_path / "runs")}
    with served("app", "--headless", **locked) as address:
        assert status(address) == 401
        assert status(f"{address}/_stcore/health") == 401
        assert status(address, Authorization="Bearer sesame") == 200
        with pytest.raises(Exception, match="403"):
            connect(f"{address.replace('http', 'ws')}/_stcore/stream")


def refused(*arguments: str) -> str:
    server = landcast(*arguments)
    _, said = server.communicate(timeout=60)
    assert server.returncode == 2
    assert said.count("\n") == 1
    return said


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("app", "--port", port, "--runs", str(tmp_path))
    assert f"{port} on localhost is in use" in said


def test_a_second_server_on_the_same_runs_is_refused(tmp_path: Path) -> None:
    with served("serve", LANDCAST_RUNS=str(tmp_path)):
        said = refused("serve", "--runs", str(tmp_path), "--port", str(free_port()))
    assert "for this server alone" in said


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--base-path", "land/"), "/landcast"),
        (("--token", ""), "token"),
        (("--host", "no.such.host.invalid"), "address of this machine"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, option: tuple[str, str], words: str) -> None:
    assert words in refused("serve", "--runs", str(tmp_path), *option)
