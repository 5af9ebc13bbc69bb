"""Zones of a forecast that is done: counted from a file, without another forecast."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.web.demo import DEMO_RUN
from app.web.forecasts.taken import _command
from app.web.service import Service
from app.web.views import __file__ as views_file

PAGE = Path(views_file).with_name("forecasts.py")


def square(west: float, south: float, name: str) -> dict[str, Any]:
    east, north = west + 0.006, south + 0.004
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"name": name}, "geometry": geometry}


def uploaded(held: Service, *zones: dict[str, Any]) -> AppTest:
    page = AppTest.from_file(str(PAGE), default_timeout=120).run()
    content = json.dumps({"type": "FeatureCollection", "features": list(zones)}).encode()
    page.file_uploader(key=f"zones-{DEMO_RUN}").set_value(("my.geojson", content, ""))
    return page.run()


def test_zones_of_a_file_are_counted_once_and_can_be_taken_away(held: Service) -> None:
    folder = held.runs.folder(DEMO_RUN)
    made = (folder.result / "run.json").stat().st_mtime_ns
    page = uploaded(held, square(8.725, 45.82, "mill"), square(8.732, 45.824, "hill"))
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="numbers").options == ["Whole area", "Zone 1: mill", "Zone 2: hill"]
    table = pd.read_csv(folder.result / "zones.csv")
    assert list(table.name.unique()) == ["mill", "hill"]
    assert (table.changed_ha_5 <= table.changed_ha_95).all()
    assert (folder.result / "zones.parquet").is_file()
    assert any("files/zones.parquet" in one.proto.body for one in page.get("html"))
    page.selectbox(key="numbers").set_value("Zone 2: hill").run()
    expected = table[table.name == "hill"].changed_ha.iloc[-1]
    assert any(f"{expected:.3g} ha" in one.value for one in page.markdown)
    assert (folder.result / "run.json").stat().st_mtime_ns == made
    assert "--zones zones.geojson" in _command(folder.read_request())
    (folder.result / "zones.csv").write_text("counted,year\n")
    page.run()
    assert (folder.result / "zones.csv").read_text() == "counted,year\n", "counted twice"


@pytest.mark.parametrize(
    ("zone", "said"),
    [(square(18.7, 45.82, "away"), "lie elsewhere"), ({"type": "Feature"}, "polygons")],
)
def test_zones_that_do_not_fit_are_refused_and_earlier_ones_stay(
    held: Service, zone: dict[str, Any], said: str
) -> None:
    folder = held.runs.folder(DEMO_RUN)
    shutil.copy(folder.result / "zones.csv", folder.path / "before.csv")
    page = uploaded(held, zone)
    assert not page.exception
    assert said in page.error[0].value
    assert "/landcast-visit" not in page.error[0].value
    assert (folder.result / "zones.csv").read_bytes() == (folder.path / "before.csv").read_bytes()
    assert len(page.selectbox(key="numbers").options) == 5
