"""How long a new server, and the first who come to it, wait for the finished forecast.

    python -m benchmarks.cost.first_visit [--visits 4] [--servers 1]

Starts `landcast app` with an empty folder of runs and opens its page in one Chromium after the
other, each with an empty cache, the first as soon as the server answers. Prints seconds until the
server answers, and for each visit, from the request of the page, until the forecast is seen (a
still of it) and until the map itself is drawn.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from benchmarks.cost.browsing import browser, served_app


def visit(chromium: Any, address: str) -> tuple[float, float]:
    """Seconds until the forecast is seen and until the map is drawn."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    began = time.monotonic()
    page.goto(address, wait_until="commit")
    page.locator("#first-paint img, .landcast-map .poster").first.wait_for(timeout=60_000)
    seen = time.monotonic() - began
    page.locator(".landcast-map[data-drawn]").wait_for(timeout=60_000)
    drawn = time.monotonic() - began
    context.close()
    return seen, drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=4)
    parser.add_argument("--servers", type=int, default=1)
    arguments = parser.parse_args()
    print("| server answers after, s | visit | forecast seen after, s | map drawn after, s |")
    print("|---|---|---|---|")
    for _ in range(arguments.servers):
        # The browser is there before the server, as that of a user is.
        with browser() as chromium, served_app() as (address, started):
            for number in range(1, arguments.visits + 1):
                seen, drawn = visit(chromium, address)
                print(f"| {started:.1f} | {number} | {seen:.1f} | {drawn:.1f} |", flush=True)


if __name__ == "__main__":
    main()
