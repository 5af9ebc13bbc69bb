"""Files, archive and cells of a run, as they are on disk."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.warp import transform
from run_cases import place
from service_cases import Service, said

from app.runs import Kind, Run, State
from app.runs.folder import RESULT
from preprocessing.fetch import FetchRequest
from preprocessing.rasters.grid import Bounds


def test_files_are_those_of_the_result(service: Service) -> None:
    folder = service.result.folder
    names = service.get("/files").json()
    assert {"run.json", "forecast_2022.tif", "members/01_2021.tif", "collection.json"} <= set(names)
    assert not [name for name in names if name.startswith(".") or "/." in name]
    for name in ("forecast_2022.tif", "members/01_2021.tif", "run.json"):
        answer = service.get(f"/files/{name}")
        assert answer.content == (folder / name).read_bytes()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert service.get("/files/run.json").headers["Content-Type"] == "application/json"
    part = service.get("/files/forecast_2022.tif", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"II*\0")


@pytest.mark.parametrize(
    "name",
    [
        "nothing.tif",
        "../state.json",
        "%2e%2e/state.json",
        "members/..%2f..%2fstate.json",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "members",
        ".landcast.lock",
        "link.json",
        ".hidden",
    ],
)
def test_nothing_else_is_given_away(service: Service, name: str) -> None:
    folder = service.result.folder
    (folder / ".hidden").touch()
    if not (folder / "link.json").is_symlink():
        (folder / "link.json").symlink_to("/etc/passwd")
    said(service.get(f"/files/{name}"), 404)
    assert "link.json" not in service.get("/files").json()


def test_the_archive_holds_every_file(service: Service) -> None:
    answer = service.get("/archive.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = [name.partition("/")[2] for name in archive.namelist()]
        made = [f"change_class_{year}.tif" for year in service.result.years]
        assert names == service.get("/files").json() + made
        stored = archive.read(f"landcast-{service.run}/mean_2022.tif")
    assert stored == (service.result.folder / "mean_2022.tif").read_bytes()


def test_the_archive_holds_change_in_classes(service: Service) -> None:
    content = service.get("/archive.zip").content
    with (
        zipfile.ZipFile(io.BytesIO(content)) as archive,
        MemoryFile(archive.read(f"landcast-{service.run}/change_class_2023.tif")) as file,
        file.open() as classes,
        rasterio.open(service.result.path("change_probability", 2023)) as probabilities,
    ):
        assert classes.colorinterp == (ColorInterp.palette,)
        expected = np.floor(10 * probabilities.read(1)) + 1
        np.testing.assert_array_equal(classes.read(1), expected)


def cell(path: object, row: int, col: int) -> list[float]:
    with rasterio.open(path) as dataset:
        window = rasterio.windows.Window(4 * col, 4 * row, 4, 4)
        return dataset.read(window=window).astype(float).mean(axis=(1, 2)).tolist()


def busiest(service: Service) -> tuple[int, int]:
    """The cell whose members differ most."""
    with rasterio.open(service.result.path("spread", 2023)) as dataset:
        spread = dataset.read(1)
    cells = spread.reshape(24, 4, 32, 4).mean(axis=(1, 3))
    assert cells.max() > 0
    row, col = np.unravel_index(cells.argmax(), cells.shape)
    return int(row), int(col)


def test_a_cell_tells_what_the_rasters_say(service: Service) -> None:
    row, col = busiest(service)
    series = service.get("/cells", params={"row": row, "col": col}).json()
    result = service.result
    assert (series["row"], series["col"], series["start_year"]) == (row, col, 2020)
    assert series["start"] == pytest.approx(cell(result.present, row, col))
    assert [year["year"] for year in series["years"]] == [2021, 2022, 2023]
    for year in series["years"]:

        def there(kind: str, at: int = year["year"], member: int | None = None) -> list[float]:
            return cell(result.path(kind, at, member=member), row, col)

        assert [year["change_probability"]] == pytest.approx(there("change_probability"))
        assert [year["spread"]] == pytest.approx(there("spread"))
        assert year["mean"] == pytest.approx(there("mean"))
        assert year["forecast"] == pytest.approx(there("forecast"))
        assert set(year["members"]) == set("0123")
        for member, values in year["members"].items():
            assert values == pytest.approx(there("forecast", member=int(member)))
    assert len({tuple(values) for values in series["years"][2]["members"].values()}) > 1


def test_a_cell_is_found_by_its_place_on_earth(service: Service) -> None:
    (lon,), (lat,) = transform(
        "EPSG:32633", "EPSG:4326", [500_000 + 10 * (4 * 20 + 1)], [5_000_000 - 10 * (4 * 7 + 3)]
    )
    there = service.get("/cells", params={"lon": lon, "lat": lat}).json()
    assert (there["row"], there["col"]) == (7, 20)
    assert there == service.get("/cells", params={"row": 7, "col": 20}).json()
    xs, ys = transform("EPSG:4326", "EPSG:32633", *zip(*there["outline"], strict=True))
    assert xs == pytest.approx([500_800, 500_840, 500_840, 500_800, 500_800], abs=0.01)
    assert ys == pytest.approx([4_999_720, 4_999_720, 4_999_680, 4_999_680, 4_999_720], abs=0.01)


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        ({"row": 3}, 400),
        ({"row": 1, "col": 1, "lon": 15.0, "lat": 45.1}, 400),
        ({"row": 24, "col": 0}, 404),
        ({"row": 0, "col": 32}, 404),
        ({"lon": 14.9, "lat": 45.1}, 404),
        ({"lon": -165.0, "lat": -45.1}, 404),
        ({"lon": 0, "lat": 91}, 422),
        ({"lon": "nan", "lat": 0}, 422),
        ({"row": -1, "col": 0}, 422),
    ],
)
def test_cells_that_are_not_there(service: Service, params: dict[str, object], status: int) -> None:
    said(service.get("/cells", params=params), status)


def test_metrics_count_requests_by_address_and_runs_by_state(service: Service) -> None:
    def metrics() -> dict[str, float]:
        lines = service.client.get("/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    asked = 'landcast_requests_total{method="GET",route="/api/v1/runs/{run}",status="200"}'
    before = metrics()
    service.get("")
    assert metrics()[asked] == before.get(asked, 0) + 1
    assert before['landcast_runs{state="done"}'] == len(service.runs.all)
    assert before["landcast_queue"] == 0
    service.client.get("/no/such/address")
    assert not [name for name in metrics() if "such" in name]


def test_a_run_that_fetched_imagery_has_files_and_no_forecast(service: Service) -> None:
    asked = FetchRequest(Bounds(9, 45, 9.01, 45.01), (2020,), "sentinel-2-l2a", RESULT)
    with service.runs.draft() as folder:
        folder.write_request(asked)
        folder.result.mkdir()
        place(folder.result / "sentinel-2-l2a_2020.tif")
        moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
        folder.write_state(Run(folder.path.name, State.done, moment, kind=Kind.fetch))
        run = service.runs.adopt(folder)
    assert folder.read_fetch() == asked
    base = f"/api/v1/runs/{run.id}"
    try:
        assert service.client.get(base).json()["kind"] == "fetch"
        assert service.client.get(f"{base}/files").json() == ["sentinel-2-l2a_2020.tif"]
        for path in (f"{base}/cells?row=0&col=0", f"/tiles/{run.id}/observed/2020/0/0/0.png"):
            answer = service.client.get(path)
            assert answer.status_code == 404
            assert "fetched imagery" in answer.json()["detail"]
    finally:
        service.runs.remove(run.id)
