"""The page in a real browser that may talk to this machine only."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from preprocessing.rasters.io import RasterSource
from preprocessing.simulator import WorldConfig, simulate_world, write_world

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`landcast app` on a free port, a small demo scene already in its cache."""
    cache = tmp_path_factory.mktemp("cache")
    world = simulate_world(WorldConfig(height=128, width=160, years=3, seed=5))
    write_world(world, cache / "landcast" / f"demo-{version('landcast')}")
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from app.cli import main; main()"]
    command += ["app", "--port", str(port), "--headless", "--runs", str(cache / "runs")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    with (cache / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"http://localhost:{port}/_stcore/health", server)
            server.address = f"http://localhost:{port}"
            yield server
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(scope="module")
def address(server):
    return server.address


def wait_for(url, server):
    """Wait until the server answers."""
    for _ in range(120):
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError("the server did not answer")


@pytest.fixture
def page(address):
    """A page of Chromium; requests that leave this machine are noted and stopped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 950})
        page.left = []

        def gate(route):
            if route.request.url.startswith((address, "data:", "blob:")):
                route.continue_()
            else:
                page.left.append(route.request.url)
                route.abort()

        page.route("**/*", gate)
        page.goto(address)
        yield page
        browser.close()


def map_pixels(page):
    """The middle of the map as `(h, w, 3)`, once two looks at it agree."""
    canvas = page.locator("canvas").first
    canvas.wait_for(timeout=60_000)
    before = None
    for _ in range(40):
        page.wait_for_timeout(500)
        picture = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB"))
        height, width = picture.shape[:2]
        middle = picture[height // 4 : -height // 4, width // 4 : -width // 4].astype(int)
        if before is not None and middle.std() > 5 and np.abs(middle - before).mean() < 0.2:
            return middle
        before = middle
    raise AssertionError(f"the map stays blank or restless, deviation {before.std():.1f}")


def badge(page, word):
    """The mark beside the title."""
    return page.locator(".stMarkdownBadge", has_text=word)


def test_forecast_in_the_browser(page, tmp_path):
    observed = map_pixels(page)
    assert len(np.unique(observed.reshape(-1, 3), axis=0)) > 200  # a landscape, not a fill
    assert badge(page, "observed").is_visible()

    page.get_by_role("spinbutton", name="Years ahead").fill("2")
    page.get_by_role("spinbutton", name="Members").fill("2")
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_text("Everything (ZIP)").wait_for(timeout=180_000)
    assert badge(page, "FORECAST").is_visible()
    assert page.get_by_role("heading", name="2016").is_visible()
    assert page.get_by_text("A projection, not a plan.").is_visible()
    forecast = map_pixels(page)

    page.get_by_text("Change", exact=True).click()
    page.get_by_text("probability of change").wait_for()
    change = map_pixels(page)
    assert np.abs(change - forecast).mean() > 5

    slider = page.get_by_role("slider").first
    for year, state in ((2015, "FORECAST"), (2014, "observed")):
        slider.focus()
        slider.press("ArrowLeft")
        page.get_by_role("heading", name=str(year)).wait_for()
        badge(page, state).wait_for()
    again = map_pixels(page)
    assert np.abs(again - observed).mean() < 3

    slider.focus()
    slider.press("ArrowRight")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Forecast 2015 (GeoTIFF)").click()
    path = tmp_path / "taken.tif"
    waiting.value.save_as(path)
    source = RasterSource.open(path, year=2015)
    assert (source.grid.height, source.grid.width) == (128, 160)
    assert source.grid.crs is not None

    page.wait_for_function("(document.querySelector('video') || {}).videoWidth > 0")
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.left == []
    if folder := os.environ.get("LANDCAST_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / "page.png")


def status(server, name):
    """A number of the server process from the kernel: `VmHWM` is its peak of memory in kB."""
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def seconds_worked(server):
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def offer(page, path):
    page.get_by_text("My image").click()
    page.locator("input[type=file]").set_input_files(path)


def test_hostile_uploads_are_refused_in_the_browser(page, server, tmp_path):
    huge = tmp_path / "huge_2018.tif"
    size = {"height": 200_000, "width": 200_000, "count": 3, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 8192, "blockysize": 8192, "sparse_ok": True}
    with rasterio.open(huge, "w", driver="GTiff", **size, **tiles):
        pass
    offer(page, huge)
    page.get_by_text("expected at most 25 megapixels").wait_for(timeout=60_000)
    raw = tmp_path / "raw_2018.tif"
    raw.write_text(
        '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1" '
        'subClass="VRTRawRasterBand"><SourceFilename relativetoVRT="0">/etc/passwd</SourceFilename>'
        "<ImageOffset>0</ImageOffset></VRTRasterBand></VRTDataset>"
    )
    page.locator("input[type=file]").set_input_files(raw)
    page.get_by_text("raw_2018.tif is none by its content").wait_for(timeout=60_000)
    assert page.get_by_text("root:").count() == 0
    assert status(server, "VmHWM") < 2 * 2**20


def test_work_ends_with_the_visit(page, server):
    map_pixels(page)
    page.get_by_role("spinbutton", name="Years ahead").fill("50")
    page.get_by_role("spinbutton", name="Members").fill("64")
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_text("forecasting ").first.wait_for(timeout=120_000)
    page.close()
    for _ in range(15):
        before = seconds_worked(server)
        time.sleep(2)
        if seconds_worked(server) - before < 0.2:
            return
    raise AssertionError("the server goes on working for a visitor who has left")
