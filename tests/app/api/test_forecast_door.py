"""`POST /api/v1/forecast` and the runs it leads to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from run_cases import place, running
from service_cases import Service, said

from app.runs import State


@pytest.fixture
def image(tmp_path: Path) -> bytes:
    return place(tmp_path / "made.tif").read_bytes()


def ask(door: Service, *files: tuple[str, Any], **fields: object) -> Any:
    return door.client.post("/api/v1/forecast", files=list(files), data=fields)


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


INSIDE = box(15.001, 45.146, 15.01, 45.152)


def test_what_is_asked_reaches_the_run(door: Service, image: bytes) -> None:
    answer = ask(
        door,
        ("images", ("place_2018.tif", image)),
        ("images", ("place 2020.tif", image)),
        ("zones", ("my zones.geojson", json.dumps(INSIDE))),
        years=3,
        members=4,
        seed=9,
        year=2021,
        bands="3,2,1",
        value_range="0,1e2",
        bbox="15.001,45.146,15.01,45.152",
        save_members=True,
    )
    assert answer.status_code == 202, answer.text
    run = answer.json()
    assert answer.headers["Location"] == f"/api/v1/runs/{run['id']}"
    assert run["state"] in ("queued", "running")
    folder = door.runs.folder(run["id"])
    asked = folder.read_request()
    assert [str(path) for path in asked.images] == [
        "uploads/place_2018.tif",
        "uploads/place 2020.tif",
    ]
    assert (asked.years, asked.members, asked.seed, asked.year) == (3, 4, 9, 2021)
    assert (asked.bands, asked.value_range) == ((3, 2, 1), (0.0, 100.0))
    assert asked.bbox == (15.001, 45.146, 15.01, 45.152)
    assert asked.save_members
    assert (folder.path / str(asked.zones)).read_text() == json.dumps(INSIDE)
    assert (folder.uploads / "place_2018.tif").read_bytes() == image


def test_runs_are_listed_cancelled_resumed_and_deleted(door: Service, image: bytes) -> None:
    first, second = (
        ask(door, ("images", ("place_2020.tif", image))).json()["id"] for _ in range(2)
    )
    running(door.runs, door.runs.get(first))
    listed = door.client.get("/api/v1/runs").json()
    assert [(run["id"], run["state"]) for run in listed] == [(second, "queued"), (first, "running")]
    for name in (first, second):
        cancelled = door.client.delete(f"/api/v1/runs/{name}")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    resumed = door.client.post(f"/api/v1/runs/{second}/resume")
    assert resumed.status_code == 202
    running(door.runs, door.runs.get(second))
    for address in ("archive.zip", "files", "files/run.json", "cells?row=0&col=0"):
        assert "running" in said(door.client.get(f"/api/v1/runs/{second}/{address}"), 409)
    assert door.client.delete(f"/api/v1/runs/{first}").status_code == 204
    said(door.client.get(f"/api/v1/runs/{first}"), 404)
    said(door.client.post(f"/api/v1/runs/{first}/resume"), 404)
    said(door.client.post(f"/api/v1/runs/{second}/resume"), 409)


def test_progress_is_sent_until_the_run_has_ended(door: Service, image: bytes) -> None:
    name = ask(door, ("images", ("place_2020.tif", image))).json()["id"]
    running(door.runs, door.runs.get(name))
    with door.client.stream("GET", f"/api/v1/runs/{name}/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = (line for line in answer.iter_lines() if line.startswith("data:"))
        assert _event(lines)["state"] == "running"
        door.runs.cancel(name)
        assert _event(lines)["state"] == State.cancelled
        assert not list(lines)


def _event(lines: Iterator[str]) -> Any:
    return json.loads(next(lines).removeprefix("data: "))


def test_a_full_queue_says_when_to_ask_again(door: Service, image: bytes) -> None:
    upload = ("images", ("place_2020.tif", image))
    running(door.runs, door.runs.get(ask(door, upload).json()["id"]))
    for _ in range(3):
        assert ask(door, upload).status_code == 202
    full = ask(door, upload)
    assert "queue" in said(full, 429)
    assert int(full.headers["Retry-After"]) > 0
    assert len(list(door.runs.root.glob("*/"))) == 4


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"years": 0}, 422, "years"),
        ({"members": "many"}, 422, "members"),
        ({"bands": "1,2"}, 422, "bands: expected three numbers of bands such as 3,2,1, got '1,2'"),
        ({"member": 3}, 400, "got member too"),
        ({"bbox": "1,2,3,4"}, 400, "lie elsewhere"),
        ({"value_range": "9,1"}, 400, "low < high"),
        ({"bands": "7,8,9"}, 400, "band"),
        ({"year": 9998}, 400, "9998"),
        ({"years": 100, "members": 1000}, 413, "years x members x pixels"),
    ],
)
def test_wrong_fields_are_refused(
    door: Service, image: bytes, fields: dict[str, object], status: int, words: str
) -> None:
    assert words in said(ask(door, ("images", ("place_2020.tif", image)), **fields), status)
    assert not door.runs.all
    assert not list(door.runs.root.glob("*/"))


@pytest.mark.parametrize(
    ("zones", "properties", "said_of_it"),
    [(INSIDE, {"year": 2020}, "has year"), (box(15.008, 45.150, 15.01, 45.152), {}, "outside it")],
)
def test_zones_that_cannot_be_counted_do_not_wait(
    door: Service,
    image: bytes,
    zones: dict[str, Any],
    properties: dict[str, int],
    said_of_it: str,
) -> None:
    feature = {"type": "Feature", "properties": properties, "geometry": zones}
    answer = ask(
        door,
        ("images", ("place_2020.tif", image)),
        ("zones", ("zones.geojson", json.dumps(feature))),
        ("aoi", ("aoi.geojson", json.dumps(box(15.001, 45.146, 15.003, 45.148)))),
    )
    assert said_of_it in said(answer, 400)


def test_images_are_needed_and_need_names_of_their_own_and_dates(
    door: Service, image: bytes
) -> None:
    assert "one image" in said(ask(door, years=2), 400)
    twice = [("images", ("place_2020.tif", image))] * 2
    assert "different names" in said(ask(door, *twice), 400)
    assert "place.tif" in said(ask(door, ("images", ("place.tif", image))), 400)


def test_paths_lie_in_a_folder_that_is_allowed(door: Service, tmp_path: Path) -> None:
    inside = place(door.settings.folders[0] / "place_2020.tif")
    outside = place(tmp_path / "secret_2020.tif")
    (door.settings.folders[0] / "link_2020.tif").symlink_to(outside)
    assert ask(door, paths=str(inside)).status_code == 202
    for path in (
        outside,
        door.settings.folders[0] / "link_2020.tif",
        door.settings.folders[0] / ".." / "secret_2020.tif",
        door.settings.folders[0],
        "/etc/passwd",
        "/vsicurl/http://host/place_2020.tif",
        "https://host/place_2020.tif",
        "place_2020.tif",
        "a\0b",
        "x" * 5000,
    ):
        assert "allows" in said(ask(door, paths=str(path)), 400)
