"""Images of a place from a STAC catalogue on localhost: searched on the page, fetched by a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fetch_cases import PLACE, add_sentinel, box_of, ground
from run_cases import HeldWorker, ended, wait_for
from servers.stac_catalogue import MadeCatalogue, running_catalogue
from streamlit.testing.v1 import AppTest

import app.runs.queue
from app.runs import Kind, Runs, State
from app.runs.folder import RESULT
from app.runs.process import WorkerProcess
from app.web.service import Service, provide
from app.web.views import __file__ as views_file
from preprocessing.fetch import FetchRequest

PAGE = Path(views_file).with_name("forecasts.py")
BOX = box_of(PLACE)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[MadeCatalogue]:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with running_catalogue(folder) as catalogue:
        for year, day in ((2018, 3), (2018, 23), (2020, 10)):
            add_sentinel(catalogue, f"s{year}{day}", f"{year}-07-{day:02}", ground(year))
        yield catalogue


def searching(held: Service, made: MadeCatalogue, language: str = "en") -> AppTest:
    """The page with the form of a search, over a catalogue of three images."""
    provide(replace(held, settings=replace(held.settings, catalogue=made.url)))
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    page.session_state["language"] = language
    page.session_state["source"] = "search"
    page.run()
    page.number_input(key="first_year").set_value(2018)
    page.number_input(key="last_year").set_value(2020)
    return page


def told(page: AppTest) -> dict[str, Any]:
    component, *_ = page.get("bidi_component")
    return dict(json.loads(component.proto.json or component.proto.mixed.json))


def typed(page: AppTest, box: str = ",".join(map(str, BOX))) -> AppTest:
    page.text_input(key="searched_box").set_value(box)
    return page.button(key="search").click().run()


def test_the_days_that_were_found_are_shown_and_fetched_by_a_run(
    held: Service, made: MadeCatalogue
) -> None:
    page = typed(searching(held, made))
    assert not page.exception
    assert not page.error
    table = next(one.value for one in page.markdown if one.value.startswith("| Year"))
    assert table.splitlines()[2:] == [
        "| 2018 | 2 days, 3 Jul to 23 Jul |",
        "| 2019 | none |",
        "| 2020 | 1 day, 10 Jul |",
    ]
    assert told(page)["bounds"] == pytest.approx(list(BOX))
    page.button(key="fetch").click().run()
    assert not page.exception
    run = held.runs.all[0]
    assert run.kind is Kind.fetch
    assert page.query_params["run"] in (run.id, [run.id])
    asked = held.runs.folder(run.id).read_fetch()
    assert (asked.years, asked.catalogue) == ((2018, 2020), made.url)
    wait_for(lambda: HeldWorker.made[0].report is not None)
    assert HeldWorker.made[0].jobs == [["fetch", str(held.runs.folder(run.id).path)]]
    HeldWorker.made[0].report("fetching", 1, 2)
    again = AppTest.from_file(str(PAGE), default_timeout=60)  # Another tab, or after a reload.
    again.query_params["run"] = run.id
    again.run()
    assert "Fetching: 1 of 2" in str(again.get("progress")[0].proto)
    again.button(key="cancel").click().run()
    assert "Fetching was cancelled" in again.info[0].value


def test_an_area_that_was_drawn_is_searched(held: Service, made: MadeCatalogue) -> None:
    page = searching(held, made)
    west, south, east, north = BOX
    ring = [[west, south], [east, south], [east, north], [west, south]]
    page.session_state["area"] = {"geometry": {"type": "Polygon", "coordinates": [ring]}}
    page.run()
    page.button(key="search").click().run()
    assert not page.error
    assert any("3 Jul" in one.value for one in page.markdown)


def test_a_file_of_polygons_is_searched(held: Service, made: MadeCatalogue) -> None:
    west, south, east, north = BOX
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    page = searching(held, made)
    page.file_uploader(key="searched").set_value(("a.geojson", json.dumps(polygon).encode(), ""))
    page.run()
    assert told(page)["bounds"] == pytest.approx(list(BOX))
    page.button(key="search").click().run()
    assert not page.error
    assert any("3 Jul" in one.value for one in page.markdown)


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("", "expected a place"),
        ("here", "in degrees such as"),
        ("9,45,10,46", "choose a smaller one"),
        ("10,45,9,46", "W < E"),
    ],
)
def test_a_wrong_place_is_refused_in_one_sentence(
    held: Service, made: MadeCatalogue, box: str, said: str
) -> None:
    page = typed(searching(held, made), box)
    assert not page.exception
    (error,) = page.error
    assert said in error.value
    assert "--bbox" not in error.value
    assert not made.asked


def test_years_that_are_swapped_are_said(held: Service, made: MadeCatalogue) -> None:
    page = searching(held, made)
    page.number_input(key="first_year").set_value(2022)
    page.number_input(key="last_year").set_value(2018)
    page = typed(page)
    assert [one.value for one in page.error] == [
        "expected the first year not to be after the last, got 2022 to 2018"
    ]


def test_nothing_found_is_said(held: Service, made: MadeCatalogue) -> None:
    page = typed(searching(held, made), "20,45,20.01,45.01")
    assert not page.exception
    assert "has no images at 20.000; 45.000" in page.warning[0].value
    assert "fetch" not in [button.key for button in page.button]


def test_a_catalogue_that_does_not_answer_is_said(held: Service, made: MadeCatalogue) -> None:
    made.troubles.search_down = True
    page = typed(searching(held, made))
    assert not page.exception
    assert "did not give them" in page.error[0].value


def test_no_network_is_said(held: Service, made: MadeCatalogue) -> None:
    page = searching(held, made)
    page.selectbox(key="catalogue").set_value("earth-search").run()
    page = typed(page)
    assert not page.exception
    assert "did not answer" in page.error[0].value


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_real_run_fetches_images_to_forecast_from(
    held: Service, made: MadeCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.runs.queue, "WorkerProcess", WorkerProcess)
    asked = FetchRequest(BOX, (2018, 2019, 2020), "sentinel-2-l2a", RESULT, catalogue=made.url)
    with Runs(replace(held.settings, runs=tmp_path / "real")) as runs:
        with runs.draft() as folder:
            run = ended(runs, runs.submit(folder, asked))
        assert run.state is State.done, run.message
        provide(replace(held, runs=runs))
        page = AppTest.from_file(str(PAGE), default_timeout=60)
        page.query_params["run"] = run.id
        page.run()
        assert not page.exception
        assert "Without a clear image: 2019" in page.warning[0].value
        assert set(told(page)["pictures"]) == {"2018", "2020"}
        assert "Copernicus" in " ".join(caption.value for caption in page.caption)
        assert page.code[0].value.startswith("landcast fetch --bbox=9.0")
        page.button(key="ask").click().run()
        assert not page.error
        forecast = runs.all[0]
        request = runs.folder(forecast.id).read_request()
        assert [path.name for path in request.images] == [
            "sentinel-2-l2a_2018.tif",
            "sentinel-2-l2a_2020.tif",
        ]
        runs.cancel(forecast.id)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_real_run_that_cannot_fetch_says_why(
    held: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.runs.queue, "WorkerProcess", WorkerProcess)
    away = "http://127.0.0.1:9"
    asked = FetchRequest(BOX, (2018,), "sentinel-2-l2a", RESULT, catalogue=away, retries=0)
    with Runs(replace(held.settings, runs=tmp_path / "real")) as runs:
        with runs.draft() as folder:
            run = ended(runs, runs.submit(folder, asked))
        assert run.state is State.failed
        assert run.message is not None
        assert "did not answer" in run.message
