"""Styles of results, and numbers in words."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.forecasts.styles import style_path, write_probability_style, write_spread_style
from preprocessing.running.counted import counted


def test_the_style_goes_from_nothing_to_certain(tmp_path: Path) -> None:
    raster = tmp_path / "change_probability_2021.tif"
    written = write_probability_style(raster)
    assert written == style_path(raster) == tmp_path / "change_probability_2021.qml"
    text = written.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE qgis ")
    root = ElementTree.fromstring(text)
    assert root.tag == "qgis"
    drawn = root.find("pipe/rasterrenderer")
    assert drawn is not None
    assert drawn.get("type") == "singlebandpseudocolor"
    items = drawn.findall("rastershader/colorrampshader/item")
    values = [float(item.get("value", "nan")) for item in items]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.0, 1.0)
    assert [items[0].get("label"), items[-1].get("label")] == ["0 %", "100 %"]
    assert items[0].get("color") == "#440154"
    assert [item.get("alpha") for item in items[:2]] == ["0", "102"]


def test_the_style_of_spread_goes_up_to_the_widest(tmp_path: Path) -> None:
    text = write_spread_style(tmp_path / "spread_2021.tif", 250.0).read_text(encoding="utf-8")
    items = ElementTree.fromstring(text).findall("pipe/rasterrenderer/rastershader//item")
    assert [items[0].get("value"), items[-1].get("value")] == ["0", "250"]
    assert items[-1].get("label") == "250"


@pytest.mark.parametrize(("number", "words"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_numbers_in_words(number: int, words: str) -> None:
    assert counted(number, "image") == words
