"""`landcast app` in a process of its own, and a headless Chromium to look at it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
from playwright.sync_api import sync_playwright

from benchmarks.cost.processes import landcast

FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@contextmanager
def served_app() -> Iterator[tuple[str, float]]:
    """A server with an empty folder of runs; yields its address, and seconds until it answered."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    address, began = f"http://localhost:{port}", time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = landcast("app", "--headless", "--port", port, "--runs", folder)
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not _answers(address):
                time.sleep(0.05)
            yield address, time.monotonic() - began
        finally:
            server.terminate()
            server.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").is_success
    except httpx.TransportError:
        return False


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, which draws maps by software."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()
