"""How long the way to a forecast of one's own takes in the application.

    python -m benchmarks.cost.newcomer [IMAGE IMAGE...] [--years 5] [--futures 8]

Starts `landcast app` with an empty folder of runs and goes the way of the README in Chromium: looks
at the finished forecast, gives two dated images, draws an area, has it forecast. Without images it
takes the first and the last of the demo scene. Prints seconds from the start of the server until
each step is done.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.forecasts.demo import demo_scene
from benchmarks.cost.browsing import browser, served_app

PATIENCE_MS = 600_000


def go(
    page: Any, images: list[Path], years: int, futures: int, done: Callable[[str], None]
) -> None:
    """Go the way, on a page that is open."""
    page.locator(".badge.forecast").wait_for()
    done("finished forecast seen")
    page.get_by_text("Files", exact=True).click()
    chooser = page.locator("input[type=file][multiple]")
    chooser.wait_for(state="attached")
    chooser.set_input_files(images)
    page.locator(".landcast-map .badge:not(.forecast)").wait_for()
    page.wait_for_timeout(1000)  # The map turns to the images.
    done("images given")
    page.get_by_role("button", name="Draw a rectangle").click()
    for share in (0.35, 0.65):
        box = page.locator(".landcast-map canvas").first.bounding_box()
        across, down = box["x"] + share * box["width"], box["y"] + share * box["height"]
        page.mouse.click(across, down)
        page.wait_for_timeout(400)  # Two clicks in one place would be a double click.
    page.get_by_text("Only the area drawn").wait_for(state="attached")
    done("area drawn")
    for name, value in (("Years ahead", years), ("Possible futures", futures)):
        page.get_by_role("spinbutton", name=name).fill(str(value))
        page.get_by_role("spinbutton", name=name).press("Enter")
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_role("tab", name="Take away").wait_for()
    page.locator(".badge.forecast").wait_for()
    done(f"forecast of {years} years and {futures} futures seen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="*", type=Path)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--futures", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        images = arguments.images
        if not images:
            scene = demo_scene(Path(scratch))
            images = [scene[0], scene[-1]]
        with browser() as chromium, served_app() as (address, started):
            began = time.monotonic() - started

            def done(what: str) -> None:
                print(f"| {what} | {time.monotonic() - began:.1f} |", flush=True)

            print("| step | done after, s |\n|---|---|")
            done("server answers")
            page = chromium.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
            page.set_default_timeout(PATIENCE_MS)
            page.goto(address)
            go(page, images, arguments.years, arguments.futures, done)


if __name__ == "__main__":
    main()
