"""Zones of a forecast that is done: counted from a file, without another forecast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.web.demo import DEMO_RUN
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


def tables(held: Service) -> set[Path]:
    return set(held.runs.folder(DEMO_RUN).zones.glob("*/zones.csv"))


def test_zones_of_a_file_are_counted_once_and_can_be_taken_away(held: Service) -> None:
    folder = held.runs.folder(DEMO_RUN)
    before = files(folder.result)
    page = uploaded(held, square(8.725, 45.82, "mill"), square(8.732, 45.824, "hill"))
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="numbers").options == ["Whole area", "Zone 1: mill", "Zone 2: hill"]
    (path,) = tables(held)
    table = pd.read_csv(path)
    assert list(table.name.unique()) == ["mill", "hill"]
    assert (table.changed_ha_5 <= table.changed_ha_95).all()
    assert path.with_suffix(".parquet").is_file()
    link = f"files/zones/{path.parent.name}/zones.parquet"
    assert any(link in one.proto.body for one in page.get("html"))
    page.selectbox(key="numbers").set_value("Zone 2: hill").run()
    expected = table[table.name == "hill"].changed_ha.iloc[-1]
    assert any(f"{expected:.3g} ha" in one.value for one in page.markdown)
    path.write_text("counted,year\n")
    page.run()
    uploaded(held, square(8.725, 45.82, "mill"), square(8.732, 45.824, "hill"))
    assert path.read_text() == "counted,year\n", "counted twice"
    assert before.items() <= files(folder.result).items(), "what the run wrote has changed"


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.glob("*") if path.is_file()}


def test_visitors_do_not_replace_what_others_look_at(held: Service) -> None:
    first = uploaded(held, square(8.725, 45.82, "mill"))
    second = uploaded(held, square(8.732, 45.824, "hill"))
    assert len(tables(held)) == 2
    for page, name in ((first, "mill"), (second, "hill")):
        page.run()
        assert page.selectbox(key="numbers").options == ["Whole area", f"Zone 1: {name}"]
    third = AppTest.from_file(str(PAGE), default_timeout=120).run()
    assert len(third.selectbox(key="numbers").options) == 5


@pytest.mark.parametrize(
    ("zone", "said"),
    [(square(18.7, 45.82, "away"), "lie elsewhere"), ({"type": "Feature"}, "polygons")],
)
def test_zones_that_do_not_fit_are_refused_and_those_of_the_run_stay(
    held: Service, zone: dict[str, Any], said: str
) -> None:
    page = uploaded(held, zone)
    assert not page.exception
    assert said in page.error[0].value
    assert "/landcast-visit" not in page.error[0].value
    assert not held.runs.folder(DEMO_RUN).zones.exists()
    assert len(page.selectbox(key="numbers").options) == 5


def test_zones_of_an_earlier_file_do_not_pass_for_those_of_a_wrong_one(held: Service) -> None:
    page = uploaded(held, square(8.725, 45.82, "mill"))
    assert len(page.selectbox(key="numbers").options) == 2
    content = json.dumps({"type": "Feature"}).encode()
    page.file_uploader(key=f"zones-{DEMO_RUN}").set_value(("point.geojson", content, "")).run()
    page.run()
    assert page.error
    assert len(page.selectbox(key="numbers").options) == 5
