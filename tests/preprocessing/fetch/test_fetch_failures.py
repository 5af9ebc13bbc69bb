"""What goes wrong between here and a catalogue: each has one clear sentence or is got over."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from fetch_cases import GRID, PLACE, SIDE, add_sentinel, ask, box_of, ground, read, same_ground
from servers.stac_catalogue import utm_grid

from app.cli.entry import run
from preprocessing.errors import (
    FetchError,
    NoImageryError,
    OutputExistsError,
    RequestError,
    UnreadableRasterError,
)
from preprocessing.fetch import Season, fetch_years
from preprocessing.fetch.year import YearRun
from preprocessing.preparation.manifest import read_manifest
from preprocessing.rasters.window import Window

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of odc-geo
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


def test_no_items_at_all(made, tmp_path):
    with pytest.raises(NoImageryError, match=r"2019 to 2020.*no items from 2019-06-01"):
        fetch_years(ask(made, tmp_path / "out", (2019, 2020), season=Season.parse("06-01:09-15")))
    assert not (tmp_path / "out").exists()


def test_a_year_without_items_does_not_stop_the_others(made, tmp_path):
    for year in (2019, 2021):
        add_sentinel(made, f"scene{year}", f"{year}-07-10", ground())
    report = fetch_years(ask(made, tmp_path, (2019, 2020, 2021)))
    assert report.written == [2019, 2021]
    assert report.missing == {2020: "no items from 2020-01-01 to 2020-12-31"}
    assert report.failed == {}
    assert "2020 is missing: no items" in report.as_text()
    assert [image.year for image in read_manifest(report.manifest)] == [2019, 2021]


def test_a_year_under_clouds_is_missing_and_leaves_no_file(made, tmp_path):
    add_sentinel(made, "fine", "2019-07-10", ground())
    add_sentinel(made, "cloudy", "2020-07-10", ground(), cloud=Window(0, 0, SIDE, SIDE))
    report = fetch_years(ask(made, tmp_path / "out", (2019, 2020)))
    assert "clouds" in report.missing[2020]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["manifest.csv", "sentinel-2-l2a_2019.tif"]


@pytest.mark.parametrize("kind", ["broken", "absent"])
def test_a_bad_file_is_left_out_where_others_show_its_ground(made, tmp_path, kind):
    truth = ground()
    for day in (10, 11, 12):
        add_sentinel(made, f"scene{day}", f"2020-07-{day}", truth)
    getattr(made.troubles, kind).add("scene11_B03")
    report = fetch_years(ask(made, tmp_path, retries=0))
    assert report.written == [2020]
    assert list(report.skipped) == ["scene11"]
    assert "item scene11 left out: " in report.as_text()
    values, valid, grid = read(tmp_path / "sentinel-2-l2a_2020.tif")
    assert valid.all()
    np.testing.assert_array_equal(values, same_ground(truth[[2, 1, 0]], grid))


def test_ground_lost_with_a_bad_file_fails_its_year_only(made, tmp_path):
    add_sentinel(made, "good", "2019-07-10", ground())
    add_sentinel(made, "bad", "2020-07-10", ground())
    made.troubles.absent.add("bad_SCL")
    report = fetch_years(ask(made, tmp_path / "out", (2019, 2020), retries=0))
    assert report.written == [2019]
    assert "item bad cannot be read" in report.failed[2020]
    assert not (tmp_path / "out" / "sentinel-2-l2a_2020.tif").exists()
    # The next run gets just what is lacking.
    made.troubles.absent.clear()
    made.asked.clear()
    again = fetch_years(ask(made, tmp_path / "out", (2019, 2020), retries=0))
    assert (again.kept, again.written) == ([2019], [2020])
    assert made.reads_of("good_") == 0


def test_all_years_lost_is_an_error(made, tmp_path):
    add_sentinel(made, "bad", "2020-07-10", ground())
    made.troubles.absent.add("bad_B02")
    with pytest.raises(FetchError, match=r"none of 1 years.*item bad cannot be read"):
        fetch_years(ask(made, tmp_path, retries=0))


def test_a_busy_server_is_asked_again(made, tmp_path):
    add_sentinel(made, "scene", "2020-07-10", ground())
    made.troubles.busy["scene_B04"] = 2
    report = fetch_years(ask(made, tmp_path, retries=3))
    assert report.written == [2020]
    assert report.skipped == {}
    assert made.troubles.busy["scene_B04"] == 0


def test_a_file_that_hangs_is_left_out_in_time(made, tmp_path):
    truth = ground()
    for day in (10, 11):
        add_sentinel(made, f"scene{day}", f"2020-07-{day}", truth)
    made.troubles.hanging.add("scene10_B04")
    report = fetch_years(ask(made, tmp_path, retries=0, timeout_s=2.0))
    assert list(report.skipped) == ["scene10"]
    values, _, grid = read(tmp_path / "sentinel-2-l2a_2020.tif")
    np.testing.assert_array_equal(values, same_ground(truth[[2, 1, 0]], grid))


def test_nobody_answers(made, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(FetchError, match=rf"127.0.0.1:{port}, it did not answer"):
        fetch_years(ask(made, tmp_path, catalogue=f"http://127.0.0.1:{port}"))


def test_a_catalogue_that_never_answers_times_out(made, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(FetchError, match="did not answer"):
            fetch_years(ask(made, tmp_path, catalogue=url, timeout_s=0.3, retries=1))


@pytest.mark.filterwarnings("ignore:Server does not advertise")
def test_an_address_that_is_no_stac_api(made, tmp_path):
    answers = {"/plain": b"hello", "/other": json.dumps({"type": "Thing"}).encode()}
    answers["/static"] = json.dumps(
        {"type": "Catalog", "stac_version": "1.0.0", "id": "a", "description": "b", "links": []}
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[self.path])

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        for path in ("/plain", "/other"):
            with pytest.raises(FetchError, match="got something else"):
                fetch_years(ask(made, tmp_path, catalogue=url + path))
        with pytest.raises(RequestError, match="no item search"):
            fetch_years(ask(made, tmp_path, catalogue=f"{url}/static"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_search_that_fails_is_repeated_and_then_said(made, tmp_path, capsys):
    made.troubles.search_down = True
    with pytest.raises(FetchError, match="did not give them"):
        fetch_years(ask(made, tmp_path, retries=2))
    assert made.reads_of("/search") == 3
    box = ",".join(str(v) for v in box_of(PLACE))
    asked = f"--bbox {box} --years 2020 --collection sentinel-2-l2a --retries 0 --out {tmp_path}"
    assert run(["fetch", *asked.split(), "--catalogue", made.url]) == 1
    *progress, last = capsys.readouterr().err.splitlines()
    assert last.startswith("landcast: ")
    assert all(line.startswith("searching ") for line in progress)


def test_a_finished_year_is_not_fetched_again_unless_asked(made, tmp_path):
    add_sentinel(made, "scene", "2020-07-10", ground())
    fetch_years(ask(made, tmp_path))
    before = (tmp_path / "sentinel-2-l2a_2020.tif").stat().st_mtime_ns
    made.asked.clear()
    assert fetch_years(ask(made, tmp_path)).kept == [2020]
    assert made.asked == []
    add_sentinel(made, "later", "2021-07-10", ground())
    report = fetch_years(ask(made, tmp_path, (2021,)))
    # The manifest lists the earlier year, too.
    assert [image.year for image in read_manifest(report.manifest)] == [2020, 2021]
    assert fetch_years(ask(made, tmp_path, overwrite=True)).written == [2020]
    assert (tmp_path / "sentinel-2-l2a_2020.tif").stat().st_mtime_ns > before


def test_files_of_other_settings_are_not_mixed_in(made, tmp_path):
    add_sentinel(made, "scene", "2020-07-10", ground())
    fetch_years(ask(made, tmp_path))
    with pytest.raises(OutputExistsError, match="--overwrite"):
        fetch_years(ask(made, tmp_path, composition="false-colour"))
    with pytest.raises(OutputExistsError, match="another --out"):
        fetch_years(ask(made, tmp_path, bbox=box_of(GRID.crop(Window(10, 12, 60, 66)))))
    (tmp_path / "sentinel-2-l2a_2020.tif").write_bytes(b"no raster")
    with pytest.raises(UnreadableRasterError, match="--overwrite"):
        fetch_years(ask(made, tmp_path))


def test_a_stop_leaves_finished_years_and_nothing_half_written(made, tmp_path, monkeypatch):
    for year in (2019, 2020):
        add_sentinel(made, f"scene{year}", f"{year}-07-10", ground())
    whole = YearRun._composite

    def stop(self, *arguments):
        if self.plan.year == 2020:
            raise KeyboardInterrupt
        return whole(self, *arguments)

    monkeypatch.setattr(YearRun, "_composite", stop)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        fetch_years(ask(made, out, (2019, 2020)))
    assert [path.name for path in out.iterdir()] == ["sentinel-2-l2a_2019.tif"]
    monkeypatch.undo()
    report = fetch_years(ask(made, out, (2019, 2020)))
    assert (report.kept, report.written) == ([2019], [2020])


def test_items_that_state_too_little_are_left_out_and_said(made, tmp_path):
    add_sentinel(made, "good", "2020-07-10", ground())
    add_sentinel(made, "unstated", "2020-07-11", ground(), **{"s2:processing_baseline": None})
    add_sentinel(made, "bandless", "2020-07-12", ground())
    del made.items[-1]["assets"]["B03"]
    report = fetch_years(ask(made, tmp_path))
    assert report.skipped == {
        "unstated": "states neither its offset nor its processing baseline",
        "bandless": "has no asset B03 or green or B03_10m",
    }
    assert made.reads_of("unstated_") == 0


def test_naip_holes_of_a_lost_flight_fail_the_year(made, tmp_path):
    grid = utm_grid(SIDE, gsd_m=1.0)
    pixels = np.full((4, SIDE, SIDE), 90, np.uint8)
    left = pixels.copy()
    left[:, :, 48:] = 0
    made.add("newest", "2020-09-01", {"image": pixels}, grid, collection="naip", nodata=None)
    made.add("older", "2020-06-01", {"image": left}, grid, collection="naip", nodata=None)
    made.troubles.absent.add("newest")
    place = box_of(grid.crop(Window(10, 12, 70, 66)))
    with pytest.raises(FetchError, match="item newest cannot be read"):
        fetch_years(ask(made, tmp_path, collection="naip", bbox=place, retries=0))
