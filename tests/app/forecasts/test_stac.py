"""STAC: valid against the schemas, forecast fields right, links relative, assets there."""

import base64
import json
import re
import shutil
from datetime import UTC, datetime

import numpy as np
import pystac
import pytest
import torch
from affine import Affine
from fake_results import PLAIN_GRID, make_result
from jsonschema import Draft7Validator
from pystac.validation.local_validator import get_local_schema_cache
from rasterio.crs import CRS
from referencing import Registry, Resource

from app.forecasts.stac import FORECAST_EXTENSION, MODEL_ITEM, write_stac
from forecast.model_description import MLM_EXTENSION
from forecast.network.conditions import Tone
from forecast.pretrained import load_model, model_folder, weights_sha256
from preprocessing.rasters.grid import Grid

_URIS = "https://schemas.stacspec.org/v1.1.0/{0}-spec/json-schema/{0}.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_result(
        tmp_path_factory.mktemp("stac") / "result",
        save_members=True,
        tags={"ACQUISITION_DATE": "2020-02-29"},
    )
    (made / "forecast.gif").write_bytes(b"GIF89a")
    write_stac(made)
    return made


def check(document, kind):
    """Validate against the STAC schemas that pystac carries; no network."""
    schemas = get_local_schema_cache()
    registry = Registry().with_resources(
        (uri, Resource.from_contents(schema)) for uri, schema in schemas.items()
    )
    schema = schemas[_URIS.format(kind)]
    errors = list(Draft7Validator(schema, registry=registry).iter_errors(document))
    assert not errors, errors[0]


def test_documents_are_valid_stac(folder):
    check(json.loads((folder / "collection.json").read_text()), "collection")
    for year in (2021, 2022, 2023):
        check(json.loads((folder / f"forecast_{year}.json").read_text()), "item")


def test_items_say_when_and_how_far_ahead(folder):
    for n, year in enumerate((2021, 2022, 2023), start=1):
        item = json.loads((folder / f"forecast_{year}.json").read_text())
        assert FORECAST_EXTENSION in item["stac_extensions"]
        assert item["properties"]["forecast:reference_datetime"] == "2020-02-29T00:00:00Z"
        assert item["properties"]["forecast:horizon"] == f"P{n}Y"
        assert item["properties"]["datetime"] == f"{year}-02-28T00:00:00Z"


def test_the_grid_is_described(folder):
    item = json.loads((folder / "forecast_2021.json").read_text())
    properties = item["properties"]
    assert properties["proj:code"] == "EPSG:32633"
    assert properties["proj:shape"] == [60, 80]
    assert properties["proj:transform"] == [10, 0, 500_000, 0, -10, 5_000_000]
    assert properties["gsd"] == 10
    # The central meridian of zone 33 is 15 degrees east; 5000 km north is 45.1535 degrees.
    west, south, east, north = item["bbox"]
    assert west == pytest.approx(15.0, abs=1e-7)
    assert north == pytest.approx(45.15348, abs=1e-4)
    assert east - west == pytest.approx(800 / (111_320 * np.cos(np.radians(45.15))), rel=0.01)
    assert north - south == pytest.approx(600 / 111_320, rel=0.01)
    ring = np.array(item["geometry"]["coordinates"][0])
    assert (ring[0] == ring[-1]).all()
    x, y = ring[:-1].T
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() > 0  # counterclockwise, RFC 7946


def test_links_and_assets_survive_a_move(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    for path in moved.glob("*.json"):
        assert str(folder) not in path.read_text()
    collection = pystac.Collection.from_file(str(moved / "collection.json"))
    items = list(collection.get_items())
    assert [item.datetime for item in items] == [
        datetime(y, 2, 28, tzinfo=UTC) for y in (2021, 2022, 2023)
    ]
    assert collection.extent.temporal.intervals == [[items[0].datetime, items[-1].datetime]]
    for thing in (collection, *items):
        for asset in thing.get_assets().values():
            assert str(asset.get_absolute_href()).startswith(str(moved))
            assert (moved / asset.href).is_file()
    cogs = [asset for asset in items[0].assets.values() if asset.media_type == pystac.MediaType.COG]
    assert len(cogs) == 8  # four kinds and four members
    assert "data" in cogs[0].roles
    assert set(collection.assets) == {"present", "animation", "run"}


def test_without_georeference_the_geometry_is_null(tmp_path):
    made = make_result(tmp_path / "result", grid=PLAIN_GRID)
    write_stac(made)
    item = json.loads((made / "forecast_2021.json").read_text())
    assert item["geometry"] is None
    assert "bbox" not in item
    assert item["properties"]["proj:code"] is None
    check(item, "item")
    collection = json.loads((made / "collection.json").read_text())
    check(collection, "collection")
    assert "no georeference" in collection["description"]


def test_a_crs_without_code_is_spelled_out(tmp_path):
    crs = CRS.from_proj4("+proj=laea +lat_0=40 +lon_0=7 +x_0=12345 +datum=WGS84 +units=m")
    grid = Grid(60, 80, Affine(10, 0, 0, 0, -10, 0), crs)
    made = make_result(tmp_path / "result", grid=grid)
    write_stac(made)
    properties = json.loads((made / "forecast_2021.json").read_text())["properties"]
    assert properties["proj:code"] is None
    assert re.match(r"PROJCRS\[", properties["proj:wkt2"])


def test_nothing_unfinished_is_left(folder):
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_the_model_is_described_as_it_is(tmp_path):
    made = make_result(tmp_path / "result")
    model = model_folder("base")
    write_stac(made, model=model)
    described = json.loads((made / MODEL_ITEM).read_text())
    check(described, "item")
    properties = described["properties"]
    assert MLM_EXTENSION in described["stac_extensions"]
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", properties["mlm:name"])
    assert properties["license"] == "apache-2.0"
    network = load_model("base")
    assert properties["mlm:total_parameters"] == sum(p.numel() for p in network.parameters())
    assert properties["mlm:hyperparameters"]["horizon_years"] == [1, 12]
    given = {
        entry["name"]: torch.ones([2, *entry["input"]["shape"][1:]])
        for entry in properties["mlm:input"]
    }
    tone = Tone(given.pop("tone mean"), given.pop("tone contrast"))
    answer = vars(network(**given, tone=tone))
    assert answer.keys() == {entry["name"] for entry in properties["mlm:output"]}
    for entry in properties["mlm:output"]:
        result = entry["result"]
        assert [2, *result["shape"][1:]] == list(answer[entry["name"]].shape)
        assert len(result["dim_order"]) == len(result["shape"])
    assert set(properties["mlm:tasks"]) == {t for e in properties["mlm:output"] for t in e["tasks"]}
    weights = described["assets"]["weights"]
    assert "mlm:model" in weights["roles"]
    bands = {band for entry in properties["mlm:input"] for band in entry["bands"]}
    assert bands == {band["name"] for band in weights["bands"]} == {"red", "green", "blue"}
    named = base64.urlsafe_b64decode(weights["href"].removeprefix("ni:///sha-256;") + "=")
    assert named.hex() == weights_sha256("base")
    item = json.loads((made / "forecast_2022.json").read_text())
    check(item, "item")
    (link,) = (link for link in item["links"] if link["rel"] == "derived_from")
    assert (made / link["href"]).resolve() == (made / MODEL_ITEM).resolve()
    assert link["mlm:name"] == properties["mlm:name"]
