"""The pages in a real browser that may talk to this machine only, with the real model."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from browser_cases import (
    NARROW,
    WIDE,
    canvas,
    click_at,
    fill_form,
    forecast_seen,
    keep_picture,
    offer,
    open_sidebar,
    pixels,
    the_map,
    visit,
)
from PIL import Image
from run_cases import place

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_main_path(browser: Any, server: Any, viewport: dict[str, int], tmp_path: Path) -> None:
    image = place(tmp_path / "place_2020.tif")
    with visit(browser, server, viewport) as page:
        # A finished future is there at once.
        the_map(page).locator(".badge.forecast", has_text="2024").wait_for(timeout=60_000)
        page.locator("#first-paint").wait_for(state="detached")
        demo = pixels(page)
        assert len(np.unique(demo.reshape(-1, 3), axis=0)) > 200  # A landscape, not a fill.
        wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide, "the page is wider than the screen"
        keep_picture(page, "demo")

        # An image of one's own, and a part of it.
        offer(page, image)
        the_map(page).get_by_role("button", name="Draw a rectangle").click()
        click_at(page, 0.35, 0.35)
        click_at(page, 0.65, 0.65)
        page.get_by_text("Only the area drawn").wait_for(state="attached")

        # Forecast, reload meanwhile, cancel.
        fill_form(page, years=50, futures=64)
        page.get_by_role("button", name="Cancel").wait_for(timeout=20_000)
        page.wait_for_url("**/?*run=*")
        keep_picture(page, "running")
        if viewport is NARROW:  # Where the sidebar lies over the page; it is closed when loaded.
            page.get_by_test_id("stExpandSidebarButton").click()
            page.get_by_test_id("stSidebarCollapseButton").wait_for()
        page.reload()
        page.get_by_role("button", name="Cancel").click(timeout=20_000)
        page.get_by_text("This forecast was cancelled.").wait_for(timeout=20_000)

        # Forecast again.
        fill_form(page, years=1, futures=2)
        forecast_seen(page)
        assert "year=2021" in page.url

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
