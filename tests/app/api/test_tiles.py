"""Tiles have the colours of the rasters they are of."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.warp import transform
from run_cases import ended, submit
from service_cases import Service, said

from app.forecasts.styles import colour_table, top_value

GRID = morecantile.tms.get("WebMercatorQuad")
ZOOM = 14


def place_of(row: int, col: int) -> tuple[float, float]:
    """Longitude and latitude of the middle of a pixel of the region."""
    x, y = 500_000 + 10 * (col + 0.5), 5_000_000 - 10 * (row + 0.5)
    (lon,), (lat,) = transform("EPSG:32633", "EPSG:4326", [x], [y])
    return lon, lat


def tile(service: Service, layer: str, year: int, z: int, x: int, y: int, **more: Any) -> Any:
    return service.client.get(f"/tiles/{service.run}/{layer}/{year}/{z}/{x}/{y}.png", **more)


def colour(service: Service, layer: str, year: int, row: int, col: int) -> NDArray[np.uint8]:
    """What a tile shows at the middle of a pixel."""
    lon, lat = place_of(row, col)
    at = GRID.tile(lon, lat, 18)  # Fine enough for a pixel to be many of the tile's.
    answer = tile(service, layer, year, at.z, at.x, at.y)
    assert answer.headers["Content-Type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert picture.shape == (256, 256, 4)
    bounds, (x, y) = GRID.xy_bounds(at), GRID.xy(lon, lat)
    across = int(256 * (x - bounds.left) / (bounds.right - bounds.left))
    along = int(256 * (bounds.top - y) / (bounds.top - bounds.bottom))
    return picture[along, across]


def values(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as dataset:
        return dataset.read()


def spots(service: Service) -> list[tuple[int, int]]:
    """A few pixels, among them where the members differ most."""
    spread = values(service.result.path("spread", 2023))[0]
    assert spread.max() > 0
    row, col = np.unravel_index(spread.argmax(), spread.shape)
    return [(int(row), int(col)), (3, 5), (50, 100), (94, 126)]


def test_images_are_shown_as_they_are(service: Service) -> None:
    result = service.result
    history = service.runs.folder(service.run).uploads / "place_2018.tif"
    for layer, year, path in (
        ("observed", 2020, result.present),
        ("observed", 2018, history),
        ("forecast", 2023, result.path("forecast", 2023)),
        ("mean", 2021, result.path("mean", 2021)),
        ("member-01", 2023, result.path("forecast", 2023, member=1)),
    ):
        stored = values(path)
        for row, col in spots(service):
            shown = colour(service, layer, year, row, col)
            assert shown.tolist() == [*stored[:, row, col].tolist(), 255], (layer, row, col)


@pytest.mark.parametrize("layer", ["change_probability", "spread"])
@pytest.mark.parametrize("year", [2021, 2023])
def test_numbers_have_the_colours_of_one_scale(service: Service, layer: str, year: int) -> None:
    stored = values(service.result.path(layer, year))[0]
    top = top_value(service.result, layer)
    assert top == (1.0 if layer == "change_probability" else pytest.approx(top))
    table = colour_table(layer)
    assert table[0, 3] == 0
    assert (table[64:, 3] == 255).all()
    for row, col in spots(service):
        level = round(255 * min(float(stored[row, col]) / top, 1))
        assert colour(service, layer, year, row, col).tolist() == table[level].tolist()
    if layer == "spread":
        assert colour(service, layer, year, *np.argwhere(stored == 0)[0])[3] == 0


def test_beside_the_region_tiles_are_transparent(service: Service) -> None:
    for z, x, y in ((ZOOM, 0, 0), (0, 5, 5), (24, 2**24 - 1, 0)):
        answer = tile(service, "forecast", 2022, z, x, y)
        assert answer.status_code == 200
        assert not np.asarray(Image.open(io.BytesIO(answer.content))).any()


def test_the_tilejson_leads_to_the_tiles(service: Service) -> None:
    found = service.client.get(f"/tiles/{service.run}/forecast/2022/tilejson.json").json()
    west, south, east, north = found["bounds"]
    lon, lat = place_of(48, 64)
    assert west < lon < east
    assert south < lat < north
    assert east - west < 0.02
    assert found["minzoom"] <= ZOOM <= found["maxzoom"]
    at = GRID.tile(lon, lat, ZOOM)
    (pattern,) = found["tiles"]
    assert pattern.startswith("http://host/tiles/")
    address = pattern.format(z=at.z, x=at.x, y=at.y)
    assert np.asarray(Image.open(io.BytesIO(service.client.get(address).content))).any()


def test_tiles_of_a_finished_run_are_kept_for_good(service: Service) -> None:
    lon, lat = place_of(48, 64)
    at = GRID.tile(lon, lat, ZOOM)
    first = tile(service, "forecast", 2022, at.z, at.x, at.y)
    assert "immutable" in first.headers["Cache-Control"]
    tag = {"If-None-Match": first.headers["ETag"]}
    again = tile(service, "forecast", 2022, at.z, at.x, at.y, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = tile(service, "forecast", 2021, at.z, at.x, at.y, headers=tag)
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("layer", "year", "status"),
    [
        ("forecast", 2020, 404),
        ("forecast", 2024, 404),
        ("observed", 2019, 404),
        ("observed", 2021, 404),
        ("member-04", 2022, 404),
        ("nothing", 2022, 422),
        ("../../state", 2022, 404),
    ],
)
def test_layers_that_are_not_there(service: Service, layer: str, year: int, status: int) -> None:
    said(tile(service, layer, year, 3, 4, 2), status)


def test_pictures_without_a_place_have_no_tiles(service: Service) -> None:
    run = submit(service.runs, crs=False, year=2020)
    assert ended(service.runs, run).state == "done"
    for address in ("tilejson.json", "3/4/2.png"):
        answer = service.client.get(f"/tiles/{run.id}/forecast/2021/{address}")
        assert "no coordinate system" in said(answer, 404)
    answer = service.client.get(f"/api/v1/runs/{run.id}/cells", params={"lon": 1, "lat": 1})
    assert "row and col" in said(answer, 400)


def test_a_run_that_is_not_done_has_no_tiles(door: Service) -> None:
    run = submit(door.runs)
    answer = door.client.get(f"/tiles/{run.id}/forecast/2021/3/4/2.png")
    said(answer, 409)
    assert "immutable" not in answer.headers.get("Cache-Control", "")
