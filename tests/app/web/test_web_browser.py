"""The pages in a real browser that may talk to this machine only, with the real model."""

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
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from run_cases import place

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WIDE, NARROW = {"width": 1440, "height": 950}, {"width": 420, "height": 900}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`landcast app` on a free port, with nothing in its folder of runs."""
    folder = tmp_path_factory.mktemp("served")
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from app.cli import main; main()"]
    command += ["app", "--port", str(port), "--headless", "--runs", str(folder / "runs")]
    with (folder / "log").open("w") as log:
        server: Any = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(f"http://localhost:{port}/_stcore/health", server)
            server.address = f"http://localhost:{port}"
            yield server
        finally:
            server.terminate()
            server.wait(20)


def wait_for(url: str, server: Any) -> None:
    """Wait until the server answers."""
    for _ in range(120):
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError("the server did not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visit(browser: Any, server: Any, viewport: dict[str, int], address: str = "") -> Iterator[Any]:
    """A visitor of their own; requests that leave this machine are stopped and refused."""
    context = browser.new_context(viewport=viewport, locale="en-US", accept_downloads=True)
    page = context.new_page()
    left: list[str] = []
    failed: list[str] = []

    def gate(route: Any) -> None:
        if route.request.url.startswith((server.address, "data:", "blob:")):
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


def pixels(page: Any) -> np.ndarray:
    """The middle of the map as `(h, w, 3)`, once two looks at it agree."""
    canvas(page).wait_for(timeout=60_000)
    before = None
    for _ in range(60):
        page.wait_for_timeout(250)
        picture = np.asarray(Image.open(io.BytesIO(canvas(page).screenshot())).convert("RGB"))
        height, width = picture.shape[:2]
        middle = picture[height // 3 : -height // 3, width // 3 : -width // 3].astype(int)
        if before is not None and middle.std() > 5 and np.abs(middle - before).mean() < 0.2:
            return np.asarray(middle)
        before = middle
    raise AssertionError("the map stays blank or restless")


def click_at(page: Any, across: float, down: float) -> None:
    box = canvas(page).bounding_box()
    position = {"x": across * box["width"], "y": down * box["height"]}
    canvas(page).click(position=position)


def open_sidebar(page: Any) -> None:
    if page.get_by_test_id("stExpandSidebarButton").is_visible():
        page.get_by_test_id("stExpandSidebarButton").click()


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


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_main_path(browser: Any, server: Any, viewport: dict[str, int], tmp_path: Path) -> None:
    image = place(tmp_path / "place_2020.tif")
    with visit(browser, server, viewport) as page:
        # A finished future is there at once.
        the_map(page).locator(".badge.forecast", has_text="2024").wait_for(timeout=60_000)
        demo = pixels(page)
        assert len(np.unique(demo.reshape(-1, 3), axis=0)) > 200  # A landscape, not a fill.
        wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide, "the page is wider than the screen"
        keep_picture(page, "demo")

        # An image of one's own, and a part of it.
        open_sidebar(page)
        page.get_by_text("Files", exact=True).click()
        chooser = page.locator("input[type=file][multiple]")
        chooser.wait_for(state="attached")
        chooser.set_input_files(image)
        the_map(page).locator(".badge", has_text="2020").wait_for(timeout=30_000)
        page.get_by_text("0 is black and 255 white").wait_for(state="attached")
        page.wait_for_timeout(600)
        the_map(page).get_by_role("button", name="Draw a rectangle").click()
        click_at(page, 0.35, 0.35)
        click_at(page, 0.65, 0.65)
        page.get_by_text("Only the area drawn").wait_for(state="attached")

        # Forecast, reload meanwhile, cancel.
        fill_form(page, years=50, futures=64)
        page.get_by_role("button", name="Cancel").wait_for(timeout=20_000)
        page.wait_for_url("**/?*run=*")
        keep_picture(page, "running")
        page.reload()
        # By the keyboard: on a narrow screen the sidebar may lie over the button.
        page.get_by_role("button", name="Cancel").press("Enter", timeout=20_000)
        page.get_by_text("This forecast was cancelled.").wait_for(timeout=20_000)

        # Forecast again.
        fill_form(page, years=1, futures=2)
        page.get_by_role("tab", name="Take away").wait_for(timeout=90_000)
        the_map(page).locator(".badge.forecast", has_text="2021").wait_for(timeout=20_000)
        assert "year=2021" in page.url
        pixels(page)

        # Play, swipe, click a cell.
        the_map(page).get_by_role("button", name="Play").click()
        page.wait_for_function(_YEAR, arg="2020")
        page.wait_for_function(_YEAR, arg="2021")
        the_map(page).get_by_role("button", name="Pause").click()
        slider = the_map(page).get_by_role("slider", name="Year")
        slider.press("End")
        page.wait_for_function(_YEAR, arg="2021")
        swipe = the_map(page).get_by_role("button", name="Compare two years side by side")
        swipe.click()
        assert the_map(page).get_by_label("Left of the line").input_value() == "observed/2020"
        line = the_map(page).get_by_role("slider", name="Line between the two years")
        line.press("Home")
        assert "inset(0" in the_map(page).locator(".host.left").get_attribute("style")
        swipe.click()
        the_map(page).get_by_role("button", name="Chance of change").click()
        click_at(page, 0.5, 0.5)
        card = the_map(page).locator(".card")
        card.get_by_text("chance that it has changed for good by 2021").wait_for(timeout=20_000)
        assert card.locator("svg.chart").count() == 2
        keep_picture(page, "cell")

        # Cells as the area of the next forecast.
        the_map(page).get_by_role("button", name="Choose cells").click()
        for across in (0.45, 0.5, 0.55):
            click_at(page, across, 0.4)
            page.wait_for_timeout(500)
        open_sidebar(page)
        page.get_by_text("Only the area drawn").wait_for(state="attached")
        if page.viewport_size["width"] < 768:
            page.get_by_test_id("stSidebarCollapseButton").locator("button").click()
        the_map(page).get_by_role("button", name="Clear the area").click()
        canvas(page).press("Escape")
        page.get_by_text("Only the area drawn").wait_for(state="detached")

        # Take it away.
        with page.expect_download() as waiting:
            the_map(page).get_by_role("button", name="Save as a picture").click()
        assert waiting.value.suggested_filename == "landcast_2021_change_probability.png"
        waiting.value.save_as(tmp_path / "map.png")
        with Image.open(tmp_path / "map.png") as saved:
            assert np.asarray(saved.convert("RGB")).std() > 5
        page.get_by_role("tab", name="Take away").click()
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Everything (ZIP)").click()
        waiting.value.save_as(tmp_path / "all.zip")
        names = zipfile.ZipFile(tmp_path / "all.zip").namelist()
        assert any(name.endswith("/change_probability_2021.tif") for name in names)
        link = page.url

    assert "layer=change_probability" in link
    with visit(browser, server, viewport, link) as page:
        the_map(page).locator(".badge.forecast", has_text="2021").wait_for(timeout=60_000)
        chosen = the_map(page).get_by_role("button", name="Chance of change")
        assert chosen.get_attribute("aria-pressed") == "true"
        pixels(page)


def test_outside_of_a_drawn_area_there_is_nothing(
    browser: Any, server: Any, tmp_path: Path
) -> None:
    """A forecast of a drawn part: its map is blank around it, whatever the layer."""
    image = place(tmp_path / "place_2020.tif")
    with visit(browser, server, WIDE) as page:
        the_map(page).locator(".badge.forecast").wait_for(timeout=60_000)
        page.get_by_text("Files", exact=True).click()
        chooser = page.locator("input[type=file][multiple]")
        chooser.wait_for(state="attached")
        chooser.set_input_files(image)
        the_map(page).locator(".badge", has_text="2020").wait_for(timeout=30_000)
        page.wait_for_timeout(1000)
        the_map(page).get_by_role("button", name="Draw a rectangle").click()
        click_at(page, 0.4, 0.4)
        click_at(page, 0.6, 0.6)
        page.get_by_text("Only the area drawn").wait_for(state="attached")
        fill_form(page, years=1, futures=2)
        page.get_by_role("tab", name="Take away").wait_for(timeout=90_000)
        the_map(page).locator(".badge.forecast", has_text="2021").wait_for(timeout=20_000)
        pixels(page)
        for layer in ("Possible future", "Average", "Chance of change"):
            the_map(page).get_by_role("button", name=layer).click()
            page.wait_for_timeout(1500)
            picture = np.asarray(Image.open(io.BytesIO(canvas(page).screenshot())).convert("RGB"))
            beside, inside = colours(picture, 0.36), colours(picture, 0.5)
            # The bare ground of the map, which is nearly white in the light theme.
            assert len(beside) == 1, f"{layer}: {len(beside)} colours beside the area"
            assert beside.min() > 230, f"{layer}: {beside} beside the area"
            assert len(inside) > 20, f"{layer}: {len(inside)} colours in the area"


def colours(picture: np.ndarray, across: float) -> np.ndarray:
    """Colours `(n, 3)` of a patch at a share of the width, half way down."""
    row, col = picture.shape[0] // 2, round(across * picture.shape[1])
    return np.unique(picture[row - 20 : row + 20, col - 20 : col + 20].reshape(-1, 3), axis=0)


_YEAR = """(year) => [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")].some(
    (host) => host.shadowRoot.querySelector(".landcast-map")?.dataset.year === year)"""


def test_hostile_uploads_are_refused(browser: Any, server: Any, tmp_path: Path) -> None:
    huge = tmp_path / "huge_2018.tif"
    size = {"height": 200_000, "width": 200_000, "count": 3, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 8192, "blockysize": 8192, "sparse_ok": True}
    with rasterio.open(huge, "w", driver="GTiff", **size, **tiles):
        pass
    raw = tmp_path / "raw_2018.tif"
    raw.write_text(
        '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1" '
        'subClass="VRTRawRasterBand"><SourceFilename relativetoVRT="0">/etc/passwd</SourceFilename>'
        "<ImageOffset>0</ImageOffset></VRTRasterBand></VRTDataset>"
    )
    for path, said in ((huge, "expected at most 25 megapixels"), (raw, "none by its content")):
        with visit(browser, server, WIDE) as page:
            page.get_by_text("Files", exact=True).click()
            chooser = page.locator("input[type=file][multiple]")
            chooser.wait_for(state="attached")
            chooser.set_input_files(path)
            page.get_by_text(said).wait_for(timeout=60_000)
            assert page.get_by_text("root:").count() == 0
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    peak = int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
    assert peak < 2 * 2**20
