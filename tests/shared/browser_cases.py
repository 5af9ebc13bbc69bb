"""A real server as a process, and visits to it by a browser that stays on this machine."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WIDE, NARROW = {"width": 1440, "height": 950}, {"width": 420, "height": 900}


@contextmanager
def served_app(folder: Path, *options: str) -> Iterator[Any]:
    """`landcast app` on a free port, with nothing in its folder of runs."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from app.cli import main; main()"]
    command += ["app", "--port", str(port), "--headless", "--runs", str(folder / "runs"), *options]
    with (folder / "log").open("w") as log:
        server: Any = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for(f"http://localhost:{port}/_stcore/health", server)
            server.address = f"http://localhost:{port}"
            yield server
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(url: str, server: Any) -> None:
    for _ in range(120):
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError("the server did not answer")


@contextmanager
def visit(
    browser: Any,
    server: Any,
    viewport: dict[str, int],
    address: str = "",
    *,
    tiles: tuple[str, ...] = (),
) -> Iterator[Any]:
    """A visitor of their own; requests of other hosts than the server and `tiles` are refused."""
    context = browser.new_context(viewport=viewport, locale="en-US", accept_downloads=True)
    page = context.new_page()
    left: list[str] = []
    failed: list[str] = []

    def gate(route: Any) -> None:
        if route.request.url.startswith((server.address, "data:", "blob:", *tiles)):
            route.continue_()
        else:
            left.append(route.request.url)
            route.abort()

    context.route("**/*", gate)
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(address or server.address)
    try:
        yield page
        assert page.locator("[data-testid=stException]").count() == 0
        assert failed == []
        assert left == []
    finally:
        context.close()


def the_map(page: Any) -> Any:
    return page.locator(".landcast-map")


def canvas(page: Any) -> Any:
    return the_map(page).locator(".host canvas").first


def seen(page: Any) -> np.ndarray:
    """The map as it is seen, `(h, w, 3)`."""
    return np.asarray(Image.open(io.BytesIO(canvas(page).screenshot())).convert("RGB"))


def pixels(page: Any) -> np.ndarray:
    """The middle of the map as `(h, w, 3)`, once four looks at it agree: tiles come one by one."""
    canvas(page).wait_for(timeout=60_000)
    before, agree = None, 0
    for _ in range(80):
        page.wait_for_timeout(250)
        picture = seen(page)
        height, width = picture.shape[:2]
        middle = picture[height // 3 : -height // 3, width // 3 : -width // 3].astype(int)
        still = before is not None and middle.std() > 5 and np.abs(middle - before).mean() < 0.2
        agree = agree + 1 if still else 0
        if agree == 3:
            return np.asarray(middle)
        before = middle
    raise AssertionError("the map stays blank or restless")


def colours(picture: np.ndarray, across: float, down: float = 0.5, half: int = 20) -> np.ndarray:
    """Colours `(n, 3)` of a square patch around a place given as shares of width and height."""
    row, col = round(down * picture.shape[0]), round(across * picture.shape[1])
    patch = picture[row - half : row + half, col - half : col + half]
    return np.unique(patch.reshape(-1, 3), axis=0)


def click_at(page: Any, across: float, down: float) -> None:
    box = canvas(page).bounding_box()
    position = {"x": across * box["width"], "y": down * box["height"]}
    canvas(page).click(position=position)


def open_sidebar(page: Any) -> None:
    if page.get_by_test_id("stExpandSidebarButton").is_visible():
        page.get_by_test_id("stExpandSidebarButton").click()


def offer(page: Any, image: Path) -> None:
    """Give an image of 2020 on the page, until the map shows it."""
    open_sidebar(page)
    page.get_by_text("Files", exact=True).click()
    chooser = page.locator("input[type=file][multiple]")
    chooser.wait_for(state="attached")
    chooser.set_input_files(image)
    the_map(page).locator(".badge", has_text="2020").wait_for(timeout=30_000)
    page.get_by_text("0 is black and 255 white").wait_for(state="attached")
    page.wait_for_timeout(1000)


def forecast_seen(page: Any) -> None:
    """Wait until the forecast of 2021 is done and drawn."""
    page.get_by_role("tab", name="Take away").wait_for(timeout=90_000)
    the_map(page).locator(".badge.forecast", has_text="2021").wait_for(timeout=20_000)
    pixels(page)


def fill_form(page: Any, *, years: int, futures: int) -> None:
    open_sidebar(page)
    for name, value in (("Years ahead", years), ("Possible futures", futures)):
        box = page.get_by_role("spinbutton", name=name)
        box.fill(str(value))
        box.press("Enter")
    page.get_by_role("button", name="Forecast", exact=True).click()


def keep_picture(page: Any, name: str) -> None:
    if folder := os.environ.get("LANDCAST_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}_{page.viewport_size['width']}.png")
