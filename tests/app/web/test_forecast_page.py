"""The page of forecasts by Streamlit's own harness: forms, runs, what the map is told."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_results import make_result, scene, write
from PIL import Image
from run_cases import HeldWorker, ended, running, wait_for
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app.api import create_api
from app.forecasts.results import ForecastFolder
from app.runs import Run, State
from app.web.demo import DEMO_RUN, add_demo
from app.web.first_paint import still
from app.web.forecasts.downloads import _command
from app.web.forecasts.images import images_of_run
from app.web.service import Service
from app.web.views import __file__ as views_file
from preprocessing.rasters.io import RasterSource

PAGE = Path(views_file).with_name("forecasts.py")
AREA = {
    "type": "Feature",
    "properties": {},
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[8.725, 45.82], [8.735, 45.82], [8.735, 45.826], [8.725, 45.82]]],
    },
}


@pytest.fixture
def page(held: Service) -> AppTest:
    return AppTest.from_file(str(PAGE), default_timeout=60).run()


def told(page: AppTest) -> dict[str, Any]:
    """What the map is told."""
    component, *_ = page.get("bidi_component")
    proto = component.proto
    return dict(json.loads(proto.json or proto.mixed.json))


def ask(page: AppTest, **values: Any) -> AppTest:
    for key, value in values.items():
        page.number_input(key=key).set_value(value)
    return page.button(key="ask").click().run()


def newest(held: Service) -> Run:
    return held.runs.all[0]


def test_the_first_visit_shows_a_finished_forecast(page: AppTest) -> None:
    assert not page.exception
    data = told(page)
    assert data["run"] == DEMO_RUN
    kinds = {frame["year"]: frame["forecast"] for frame in data["frames"]}
    assert [year for year, forecast in kinds.items() if forecast] == list(range(2020, 2025))
    assert [year for year, forecast in kinds.items() if not forecast] == list(range(2012, 2020))
    assert all(frame["observed"] for frame in data["frames"])
    names = [layer["id"] for layer in data["layers"]]
    assert names[:5] == ["forecast", "mean", "change_probability", "spread", "observed"]
    assert names[5:] == [f"member-{number:02d}" for number in range(8)]
    assert data["poster"].startswith("data:image/webp;base64,")
    west, south, east, north = data["bounds"]
    assert west < east
    assert south < north
    assert data["view"] == pytest.approx(data["bounds"])
    legend = next(layer for layer in data["layers"] if layer["id"] == "change_probability")
    assert legend["legend"]["ticks"] == ["0 %", "50 %", "100 %"]
    assert "http" not in json.dumps({k: v for k, v in data.items() if k != "texts"})


def test_the_demo_is_added_once(held: Service) -> None:
    before = (held.runs.folder(DEMO_RUN).result / "run.json").stat().st_mtime_ns
    add_demo(held.runs)
    assert (held.runs.folder(DEMO_RUN).result / "run.json").stat().st_mtime_ns == before
    assert len(held.runs.all) == 1


def test_later_images_are_on_the_map(held: Service) -> None:
    api = create_api(held.settings, held.runs, held.short_jobs)
    with TestClient(api, "http://host") as client:
        for year, status in ((2012, 200), (2019, 200), (2022, 200), (2025, 404)):
            answer = client.get(f"/tiles/{DEMO_RUN}/observed/{year}/tilejson.json")
            assert answer.status_code == status, answer.text
        answer = client.get(f"/tiles/{DEMO_RUN}/observed/2022/0/0/0.png")
        assert answer.status_code == 200


def test_the_form_makes_a_run_that_the_address_names(page: AppTest, held: Service) -> None:
    page.selectbox(key=f"start-{DEMO_RUN}").set_value(2022)
    ask(page, years=2, members=3, seed=11)
    assert not page.exception
    run = newest(held)
    assert page.query_params["run"] in (run.id, [run.id])
    folder = held.runs.folder(run.id)
    request = folder.read_request()
    assert (request.years, request.members, request.seed) == (2, 3, 11)
    assert [path.name for path in request.images][-1] == "scene_2022.tif"
    assert sorted(path.name for path in folder.later.iterdir()) == [
        "scene_2023.tif",
        "scene_2024.tif",
    ]
    assert images_of_run(folder).years == list(range(2012, 2025))


def test_an_area_that_was_drawn_limits_the_forecast(page: AppTest, held: Service) -> None:
    page.session_state["area"] = AREA
    ask(page.run(), years=1, members=2)
    assert not page.exception
    folder = held.runs.folder(newest(held).id)
    aoi = folder.path / (folder.read_request().aoi or "")
    assert json.loads(aoi.read_text())["features"][0]["geometry"] == AREA["geometry"]
    assert page.session_state["area"] is None


def test_an_area_is_of_the_images_that_it_was_drawn_on(
    page: AppTest, held: Service, tmp_path: Path
) -> None:
    page.session_state["area"] = AREA
    page.run()
    upload(page, ("garden_2020.png", png(scene(2020))))
    ask(page, years=1, members=2)
    assert not page.exception
    assert not page.error
    assert held.runs.folder(newest(held).id).read_request().aoi is None


def test_squares_of_a_power_of_two_are_shown(tmp_path: Path) -> None:
    """A bitmap of exactly that shape is black on the map (MapLibre 5.24 takes it for mipmapped)."""
    for side, height in ((64, 65), (60, 60)):
        path = write(tmp_path / f"{side}_2020.tif", scene(2020, side, side))
        address = still(path, 0, None, (0.0, 255.0))
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
            assert picture.size == (side, height)


def test_an_area_elsewhere_is_refused_in_one_sentence(page: AppTest, held: Service) -> None:
    away = json.loads(json.dumps(AREA).replace("8.7", "18.7"))
    page.session_state["area"] = away
    ask(page.run())
    assert not page.exception
    assert len(page.error) == 1
    assert str(held.runs.root) not in page.error[0].value
    assert len(held.runs.all) == 1


def test_a_run_is_followed_cancelled_and_taken_up_again(page: AppTest, held: Service) -> None:
    ask(page, years=1, members=2)
    run = newest(held)
    running(held.runs, run)
    HeldWorker.made[0].report("forecasting", 1, 4)
    page.run()
    assert not page.exception
    assert "Forecasting: 1 of 4" in str(page.get("progress")[0].proto)
    again = AppTest.from_file(str(PAGE), default_timeout=60)  # Another tab.
    again.query_params["run"] = run.id
    again.run()
    assert again.button(key="cancel")
    page.button(key="cancel").click().run()
    assert not page.exception
    assert held.runs.get(run.id).state is State.cancelled
    assert "cancelled" in page.info[0].value
    page.button(key="resume").click().run()
    assert not held.runs.get(run.id).state.ended


def test_a_run_that_failed_says_why_and_can_go(page: AppTest, held: Service) -> None:
    ask(page, years=1, members=2)
    run = newest(held)
    running(held.runs, run)
    from preprocessing.errors import RequestError

    HeldWorker.made[0].go(RequestError("expected more, got less"))
    ended(held.runs, run)
    page.run()
    assert "expected more, got less" in page.error[0].value
    page.button(key="delete").click().run()
    assert not page.exception
    assert [one.id for one in held.runs.all] == [DEMO_RUN]


def test_a_link_to_nothing_says_so(held: Service) -> None:
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    page.query_params["run"] = "0123456789ab"
    page.run()
    assert not page.exception
    assert "no such forecast" in page.warning[0].value
    assert told(page)["run"] == DEMO_RUN


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.segmented_control(key="source").set_value("own").run() if hasattr(
        page, "segmented_control"
    ) else page.button_group(key="source").set_value(["own"]).run()
    page.file_uploader(key="images").set_value([(name, data, "image/any") for name, data in files])
    return page.run()


def png(data: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(data.transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_uploaded_images_are_shown_before_they_are_forecast(
    page: AppTest, held: Service, tmp_path: Path
) -> None:
    files = [
        (f"town_{year}.tif", write(tmp_path / f"town_{year}.tif", scene(year)).read_bytes())
        for year in (2018, 2020)
    ]
    upload(page, *files)
    assert not page.exception
    data = told(page)
    assert data["run"] is None
    assert set(data["pictures"]) == {"2018", "2020"}
    assert data["pictures"]["2020"]["url"].startswith("data:image/webp;base64,")
    assert data["pictures"]["2020"]["corners"][0] == pytest.approx([15.0, 45.15348], abs=1e-4)
    assert any("0 is black" in warning.value for warning in page.warning)
    ask(page, years=1, members=2)
    assert not page.exception
    folder = held.runs.folder(newest(held).id)
    assert [path.name for path in folder.read_request().images] == [name for name, _ in files]


def test_the_year_is_asked_where_nothing_says_it(page: AppTest, held: Service) -> None:
    upload(page, ("garden.png", png(scene(2020))))
    assert "enter its year" in page.info[0].value
    page.number_input(key="year-garden.png").set_value(2015).run()
    assert not page.exception
    assert not page.get("bidi_component")  # No place on Earth, no map.
    ask(page, years=1, members=2)
    request = held.runs.folder(newest(held).id).read_request()
    assert request.images == (Path("uploads/garden_2015.png"),)


def test_bands_can_be_chosen(page: AppTest, held: Service, tmp_path: Path) -> None:
    data = np.concatenate([scene(2020), scene(2020)[:1] + 9])
    upload(page, ("four_2020.tif", write(tmp_path / "four_2020.tif", data).read_bytes()))
    assert not page.exception
    box = page.selectbox(key="four_2020.tif-red")
    box.set_value(box.options[3]).run()
    ask(page, years=1, members=2)
    assert held.runs.folder(newest(held).id).read_request().bands == (4, 2, 3)


def test_the_range_is_asked_where_nothing_says_it(
    page: AppTest, held: Service, tmp_path: Path
) -> None:
    path = write(tmp_path / "s2_2020.tif", scene(2020).astype(np.uint16) * 10)
    upload(page, ("s2_2020.tif", path.read_bytes()))
    page.number_input(key="high").set_value(2550.0).run()
    assert not page.exception
    ask(page, years=1, members=2)
    assert held.runs.folder(newest(held).id).read_request().value_range == (0.0, 2550.0)


def test_what_is_no_image_is_refused_in_one_sentence(page: AppTest) -> None:
    upload(page, ("text_2020.tif", b"hello"))
    assert not page.exception
    assert "none by its content" in page.error[0].value
    assert "/landcast-visit" not in page.error[0].value


def finished(held: Service, **options: Any) -> ForecastFolder:
    """A run of the test that is done, by a result that was made up."""
    run = newest(held)
    running(held.runs, run)
    folder = held.runs.folder(run.id)
    make_result(folder.path / "made", **options)
    worker = HeldWorker.made[0]
    worker.go()
    wait_for(lambda: held.runs.get(run.id).state is State.done)
    folder.result.rmdir()
    (folder.path / "made").rename(folder.result)
    return ForecastFolder.open(folder.result)


def test_images_without_a_place_are_plain_pictures(page: AppTest, held: Service) -> None:
    upload(page, ("garden_2020.png", png(scene(2020))))
    ask(page, years=1, members=2)
    from fake_results import PLAIN_GRID

    finished(held, years=2, grid=PLAIN_GRID)
    page.run()
    assert not page.exception
    assert not page.get("bidi_component")
    assert page.select_slider(key="plain_year").options == ["2020", "2021", "2022"]
    assert any("do not say where" in caption.value for caption in page.caption)


def test_nothing_known_of_the_skill_is_said(page: AppTest, held: Service, tmp_path: Path) -> None:
    path = write(tmp_path / "town_2020.tif", scene(2020))
    upload(page, ("town_2020.tif", path.read_bytes()))
    ask(page, years=1, members=2)
    result = finished(held, years=2, save_members=True)
    page.run()
    assert not page.exception
    assert any("Nothing is known" in info.value for info in page.info)
    assert told(page)["range"] == list(result.value_range)


def test_the_demo_tells_its_skill_its_areas_and_its_command(page: AppTest, held: Service) -> None:
    assert any("own past" in info.value for info in page.info)
    assert any("are expected to have changed" in element.value for element in page.markdown)
    box = page.selectbox(key="numbers")
    assert box.options == ["Whole area", *(box.options[1:])]
    assert len(box.options) == 5
    box.set_value(box.options[1]).run()
    assert not page.exception
    command = _command(held.runs.folder(DEMO_RUN).read_request())
    assert command.startswith("landcast forecast scene_2012.tif")
    assert command.endswith("--seed 0 --zones zones.geojson --save-members")
    assert RasterSource.open(held.runs.folder(DEMO_RUN).result / "present_2019.tif").grid.crs
