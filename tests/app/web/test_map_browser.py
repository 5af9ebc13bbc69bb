"""What is drawn on the map, laid under it and held beside it, in a real browser."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from browser_cases import (
    WIDE,
    canvas,
    click_at,
    colours,
    fill_form,
    forecast_seen,
    offer,
    pixels,
    seen,
    served_app,
    the_map,
    visit,
)
from PIL import Image
from run_cases import place

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LAYERS = ("Possible future", "Average", "Chance of change")


def show_layer(page: Any, layer: str) -> np.ndarray:
    """The map of a layer, drawn."""
    the_map(page).get_by_role("button", name=layer).click()
    page.wait_for_timeout(1500)
    return seen(page)


def assert_bare(found: np.ndarray, where: str) -> None:
    """The ground of the map alone, which is nearly white in the light theme."""
    assert len(found) == 1, f"{where}: {len(found)} colours"
    assert found.min() > 230, f"{where}: {found}"


def test_of_a_drawn_polygon_only_the_polygon_is_forecast(
    browser: Any, server: Any, tmp_path: Path
) -> None:
    """Beside a triangle, and in the other half of the box around it, the map is blank."""
    with visit(browser, server, WIDE) as page:
        offer(page, place(tmp_path / "place_2020.tif"))
        the_map(page).get_by_role("button", name="Draw a polygon").click()
        for across, down in ((0.35, 0.25), (0.65, 0.25), (0.35, 0.75)):
            click_at(page, across, down)
            page.wait_for_timeout(300)
        canvas(page).press("Enter")
        page.get_by_text("Only the area drawn").wait_for(state="attached")
        fill_form(page, years=1, futures=2)
        forecast_seen(page)
        for layer in LAYERS:
            picture = show_layer(page, layer)
            assert_bare(colours(picture, 0.58, 0.72), f"{layer} beside the triangle")
            assert_bare(colours(picture, 0.05), f"{layer} beside the box")
            inside = colours(picture, 0.42, 0.3)
            assert len(inside) > 20, f"{layer}: {len(inside)} colours in the area"


def test_forecast_and_truth_side_by_side(browser: Any, server: Any) -> None:
    """The demo has images of its forecast years."""
    with visit(browser, server, WIDE) as page:
        the_map(page).locator(".badge.forecast", has_text="2024").wait_for(timeout=60_000)
        forecast = pixels(page)
        the_map(page).get_by_role("button", name="Observed", exact=True).click()
        truth = pixels(page)
        the_map(page).get_by_role("button", name="Possible future").click()
        the_map(page).get_by_role("button", name="Compare two years side by side").click()
        assert the_map(page).get_by_label("Left of the line").input_value() == "observed/2024"
        line = the_map(page).get_by_role("slider", name="Line between the two years")
        line.press("End")
        left = pixels(page)
        line.press("Home")
        right = pixels(page)
    assert np.abs(left - truth).mean() < 0.5
    assert np.abs(right - forecast).mean() < 0.5
    assert np.abs(left - right).mean() > 3


@contextmanager
def tile_server(colour: tuple[int, int, int]) -> Iterator[tuple[str, list[str]]]:
    """Tiles of one colour on localhost; yields its address and the paths that were asked for."""
    buffer = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(buffer, "PNG")
    asked: list[str] = []

    class Tiles(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(buffer.getvalue())

        def log_message(self, format: str, *args: Any) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("localhost", 0), Tiles)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_basemap_lies_under_the_forecast(browser: Any, tmp_path: Path) -> None:
    """Without `--basemap` no request leaves the server: every other visit would fail."""
    lilac = (190, 120, 230)
    with (
        tile_server(lilac) as (tiles, asked),
        served_app(tmp_path, "--basemap", f"{tiles}/{{z}}/{{x}}/{{y}}.png") as server,
        visit(browser, server, WIDE, tiles=(tiles,)) as page,
    ):
        the_map(page).locator(".badge.forecast", has_text="2024").wait_for(timeout=60_000)
        middle = pixels(page)
        around = colours(seen(page), 0.08)
    assert asked
    assert all(len(path.split("/")) == 4 and "{" not in path for path in asked)
    assert around.tolist() == [list(lilac)]
    assert not (middle == lilac).all(axis=-1).any(), "the basemap shines through the forecast"
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 200


def film(path: Path) -> Path:
    """Four seconds of a square that moves, a frame each."""
    with av.open(str(path), "w") as movie:
        stream = movie.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for step in range(4):
            picture = np.full((32, 48, 3), 90, np.uint8)
            picture[8:24, 4 + 8 * step : 20 + 8 * step] = (220, 180, 40)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            movie.mux(stream.encode(frame.reformat(format="yuv420p")))
        movie.mux(stream.encode())
    return path


def test_a_film_is_upscaled_and_plays_under_the_slider(
    browser: Any, server: Any, tmp_path: Path
) -> None:
    with visit(browser, server, WIDE, f"{server.address}/upscaling") as page:
        chooser = page.locator("input[type=file]").first
        chooser.wait_for(state="attached")
        chooser.set_input_files(film(tmp_path / "square.mp4"))
        before, after = (page.get_by_label(name, exact=True) for name in ("Before", "After"))
        after.wait_for(timeout=240_000)
        both = [one.evaluate_handle("(one) => one") for one in (before, after)]
        page.wait_for_function(_RUN, arg=both)
        assert [one.evaluate("(one) => one.videoWidth") for one in both] == [48, 192]
        # One that falls behind is brought back.
        both[0].evaluate("(one) => { one.playbackRate = 0.1; }")
        page.wait_for_timeout(1000)
        assert page.evaluate(_APART, both) < 0.6
        slider = page.get_by_role("slider")
        slider.press("Home")
        assert "inset(0px 100% 0px 0px)" in before.get_attribute("style")
        slider.press("End")
        assert "inset(0px 0%" in before.get_attribute("style")


_RUN = "(both) => both.every((one) => !one.paused && one.currentTime > 0.5)"
# Seconds between the two at most, looked at for a while; in the last frame one may begin anew.
_APART = """async ([before, after]) => {
  let most = 0;
  for (let look = 0; look < 40; look++) {
    await new Promise((done) => setTimeout(done, 100));
    const apart = Math.abs(before.currentTime - after.currentTime);
    if (after.currentTime > 1 && after.currentTime < 2.8) most = Math.max(most, apart);
  }
  return most;
}"""
