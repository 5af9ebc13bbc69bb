"""The page, run by Streamlit's own test harness with a workflow that copies a ready result."""

import io
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydeck
import pytest
import streamlit as st
from affine import Affine
from fake_results import GRID, PLAIN_GRID, make_result, scene, write
from PIL import Image
from rasterio.crs import CRS
from streamlit.testing.v1 import AppTest

from app.forecasts.request import ForecastRequest
from app.forecasts.results import ForecastFolder
from app.web import legends, mapview, outputs, pictures, scenes, view
from app.web.server import PAGE
from preprocessing.errors import DateError, RequestError, ValueRangeError
from preprocessing.rasters.grid import Grid

LABELS = {layer.label: layer for layer in pictures.LAYERS}


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """The demo scene of three years, and a workflow that notes requests and makes a result."""
    st.cache_data.clear()
    st.cache_resource.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls = SimpleNamespace(requests=[], scenes=0, error=None)

    def demo_scene(folder):
        calls.scenes += 1
        folder.mkdir(parents=True)
        return [write(folder / f"scene_{y}.tif", scene(y)) for y in (2018, 2019, 2020)]

    def forecast_region(request, *, progress=None):
        calls.requests.append(request)
        progress("forecasting", 1, 2)
        if calls.error:
            raise calls.error
        request.out.rmdir()
        return ForecastFolder.open(
            make_result(
                request.out,
                start=request.year,
                years=request.years,
                members=request.members,
                save_members=request.save_members,
            )
        )

    monkeypatch.setitem(sys.modules, "app.forecasts.demo", SimpleNamespace(demo_scene=demo_scene))
    fake = SimpleNamespace(ForecastRequest=ForecastRequest, forecast_region=forecast_region)
    monkeypatch.setitem(sys.modules, "app.workflows", fake)
    yield calls
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def page(demo):
    return AppTest.from_file(str(PAGE), default_timeout=30).run()


def forecast(page, **values):
    """Fill in the form and send it."""
    for key, value in values.items():
        (page.checkbox if key == "keep" else page.number_input)(key=key).set_value(value)
    return page.button(key="FormSubmitter:forecast-Forecast").click().run()


def state_of(page):
    """The badge beside the title."""
    text = " ".join(element.value for element in page.main.markdown)
    return "forecast" if "FORECAST" in text else "observed" if "observed" in text else None


def test_the_demo_scene_is_ready_at_start(page, demo):
    assert not page.exception
    assert page.select_slider(key="year").options == ["2018", "2019", "2020"]
    assert page.session_state["year"] == 2020
    assert state_of(page) == "observed"
    assert demo.scenes == 1
    assert len(page.get("deck_gl_json_chart")) == 1
    assert not page.get("download_button")


def test_the_demo_scene_is_made_once(page, demo):
    st.cache_resource.clear()
    again = AppTest.from_file(str(PAGE), default_timeout=30).run()
    assert not again.exception
    assert demo.scenes == 1


def test_the_form_reaches_the_workflow(page, demo):
    forecast(page, years=2, members=3, seed=11, keep=True)
    assert not page.exception
    (request,) = demo.requests
    assert request.images[-1].name == "scene_2020.tif"
    assert (request.years, request.members, request.seed) == (2, 3, 11)
    assert (request.save_members, request.value_range) == (True, (0.0, 255.0))


def test_a_forecast_shows_future_film_and_downloads(page):
    forecast(page, years=3)
    assert page.select_slider(key="year").options == [str(y) for y in range(2018, 2024)]
    assert page.session_state["year"] == 2023
    assert state_of(page) == "forecast"
    labels = [button.label for button in page.get("download_button")]
    assert "Forecast 2023 (GeoTIFF)" in labels
    assert "Everything (ZIP)" in labels
    text = " ".join(element.value for element in (*page.markdown, *page.caption))
    assert "A projection, not a plan" in text
    assert "model tiny" in text


def test_moving_the_slider_does_not_forecast_again(page, demo):
    forecast(page)
    for year, state in ((2021, "forecast"), (2019, "observed"), (2025, "forecast")):
        page.select_slider(key="year").set_value(year).run()
        assert not page.exception
        assert state_of(page) == state
        assert str(year) in " ".join(element.value for element in page.main.markdown)
    assert len(demo.requests) == 1


@pytest.mark.parametrize("label", LABELS)
def test_every_layer_is_drawn(page, monkeypatch, label):
    forecast(page, years=2)
    drawn = []
    real = view.map_of
    monkeypatch.setattr(view, "map_of", lambda *a: drawn.append(a) or real(*a))
    page.radio(key="layer").set_value(LABELS[label]).run()
    assert not page.exception
    _, bottom, top, opacity = drawn[-1]
    np.testing.assert_array_equal(bottom[..., :3], scene(2020).transpose(1, 2, 0))
    assert opacity == (1.0 if LABELS[label].colours is None else 0.7)
    town, land = top[30, 16, :3].astype(int), top[50, 70, :3].astype(int)
    if LABELS[label].colours is None:
        np.testing.assert_array_equal(top[..., :3], scene(2022).transpose(1, 2, 0))
    else:
        assert np.abs(town - land).max() > 60
        assert any("linear-gradient" in element.value for element in page.get("html"))
    page.slider(key=f"opacity_{LABELS[label].kind}").set_value(40).run()
    assert drawn[-1][3] == pytest.approx(0.4)


def test_the_layer_stays_chosen_while_looking_back(page):
    forecast(page, years=2)
    page.radio(key="layer").set_value(LABELS["Spread"]).run()
    page.select_slider(key="year").set_value(2019).run()
    assert page.radio(key="layer").disabled
    page.select_slider(key="year").set_value(2021).run()
    assert page.radio(key="layer").value == LABELS["Spread"]
    assert not page.exception


def test_members_can_be_switched(page, monkeypatch):
    forecast(page, years=1, members=3, keep=True)
    drawn = []
    real = view.map_of
    monkeypatch.setattr(view, "map_of", lambda *a: drawn.append(a) or real(*a))
    page.selectbox(key="member").set_value(2).run()
    assert not page.exception
    top = drawn[-1][2][..., :3].astype(int)
    assert (top - scene(2021).transpose(1, 2, 0)).max() == 2  # member 2 is 2 levels brighter
    forecast(page, members=2)  # now there is no member 2
    assert not page.exception
    assert page.selectbox(key="member").value is None


def test_an_earlier_start_hides_what_came_after(page, demo):
    page.sidebar.selectbox[0].set_value(2018)
    forecast(page, years=2)
    assert demo.requests[0].images[-1].name == "scene_2018.tif"
    assert page.select_slider(key="year").options == ["2018", "2019", "2020"]
    assert state_of(page) == "forecast"


def test_a_refused_forecast_is_one_sentence_and_the_page_lives_on(page, demo):
    demo.error = RequestError("expected more, got less")
    forecast(page)
    assert [error.value for error in page.error] == ["expected more, got less"]
    assert not page.exception
    demo.error = None
    forecast(page)
    assert not page.error
    assert state_of(page) == "forecast"


def upload(page, name, content):
    page.radio(key="scene").set_value("My image").run()
    assert "sidebar" in " ".join(element.value for element in page.main.markdown)
    return page.file_uploader(key="upload").set_value((name, content, "image/any")).run()


def png(data):
    buffer = io.BytesIO()
    Image.fromarray(data.transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_uploaded_picture_asks_for_its_year(page, demo):
    upload(page, "garden.png", png(scene(2020)))
    assert not page.exception
    assert "enter the year" in page.info[0].value
    page.number_input(key="image_year").set_value(2015).run()
    assert not page.exception
    assert not page.get("deck_gl_json_chart")
    assert "garden.png · 2015" in page.main.markdown[0].value
    forecast(page, years=1)
    assert demo.requests[0].year == 2015
    assert demo.requests[0].images[-1].name == "garden.png"
    assert page.select_slider(key="year").options == ["2015", "2016"]


def test_an_uploaded_geotiff_lands_on_the_map(page, tmp_path):
    path = write(tmp_path / "town_2017.tif", scene(2017))
    upload(page, "town_2017.tif", path.read_bytes())
    assert not page.exception
    assert len(page.get("deck_gl_json_chart")) == 1


def test_wrong_uploads_are_refused_in_one_sentence(page, tmp_path):
    upload(page, "text_2020.tif", b"hello")
    assert not page.exception
    assert "expected a raster" in page.error[0].value
    assert "/uploads/" not in page.error[0].value


def test_unknown_value_range_is_asked_for(page, tmp_path):
    path = write(tmp_path / "s2_2020.tif", scene(2020).astype(np.uint16) * 10)
    upload(page, "s2_2020.tif", path.read_bytes())
    assert not page.exception
    page.number_input(key="high").set_value(2550.0).run()
    assert not page.exception
    assert len(page.get("deck_gl_json_chart")) == 1


def test_scene_of_upload_says_what_is_missing(tmp_path):
    path = write(tmp_path / "undated.tif", scene(2020))
    with pytest.raises(DateError, match="undated"):
        scenes.scene_of_upload(path)
    assert scenes.scene_of_upload(path, year=1999).years == (1999,)
    path = write(tmp_path / "s2_2020.tif", scene(2020).astype(np.uint16))
    with pytest.raises(ValueRangeError):
        scenes.scene_of_upload(path)


def test_the_map_lies_on_its_ground_and_needs_no_other_server():
    picture = np.full((60, 80, 4), 200, dtype=np.uint8)
    deck = mapview.map_of(GRID, picture, picture, 0.5)
    assert isinstance(deck, pydeck.Deck)
    text = deck.to_json()
    assert "http" not in text
    assert deck.map_provider is None
    assert "mapStyle" not in text or '"__MAP_STYLE__"' in text
    assert text.count("data:image/webp;base64,") == 2
    around = mapview.corners(GRID)
    assert around[1] == pytest.approx([15.0, 45.15348], abs=1e-4)
    assert around[0][1] < around[1][1]
    assert around[2][0] > around[1][0]


def test_corners_follow_a_rotated_grid():
    turned = Grid(10, 20, Affine.rotation(90) @ Affine.scale(1, -1), CRS.from_epsg(4326))
    bottom_left, top_left, top_right, _ = mapview.corners(turned)
    assert top_left == pytest.approx([0, 0])
    assert top_right == pytest.approx([0, 20])
    assert bottom_left == pytest.approx([10, 0])


def test_blending_without_georeference():
    bottom = np.full((4, 4, 4), 100, dtype=np.uint8)
    bottom[..., 3] = 255
    top = np.full((4, 4, 4), 200, dtype=np.uint8)
    top[..., 3] = 255
    assert np.abs(mapview.blended(bottom, top, 0.5)[..., :3].astype(int) - 150).max() <= 1
    np.testing.assert_array_equal(mapview.blended(bottom, None, 0.5), bottom)
    assert PLAIN_GRID.crs is None
    with pytest.raises(ValueError, match="georeferenced"):
        mapview.corners(PLAIN_GRID)


def test_the_legend_scale_is_the_same_for_all_years(tmp_path):
    st.cache_data.clear()
    result = ForecastFolder.open(make_result(tmp_path / "result"))
    assert pictures.top_value(result, "change_probability") == 1.0
    assert pictures.top_value(result, "spread") == pytest.approx(15.0)
    html = legends.legend_html(LABELS["Spread"], 15.0)
    assert "7.5" in html
    assert "units of the input" in html
    assert "100 %" in legends.legend_html(LABELS["Change"], 1.0)


def test_the_zip_holds_everything(tmp_path):
    result = ForecastFolder.open(make_result(tmp_path / "result"))
    with outputs._zipped(result)() as opened, zipfile.ZipFile(opened) as archive:
        names = set(archive.namelist())
    expected = {path.name for path in (tmp_path / "result").iterdir()}
    assert expected <= {Path(name).name for name in names}


def test_the_time_line_parts_past_and_future():
    html = legends.time_line_html([2018, 2019, 2020, 2021, 2022], 2020)
    assert "observed 2018 to 2020" in html
    assert "forecast to 2022" in html
    assert html.count("flex:0.5000") == 2
    assert "forecast" not in legends.time_line_html([2018, 2019], None)
