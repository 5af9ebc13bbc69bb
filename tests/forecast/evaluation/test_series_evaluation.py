"""Whole places through `landcast evaluate`: the seam of the forecaster, the choice, the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from html_reader import Page
from PIL import Image
from series_cases import MadeStore, made_series

import app.scores.pairs
from app.scores.pairs import evaluate
from app.scores.request import EvaluationRequest
from benchmarks.skill import places
from forecast.evaluation.cases.case import build_case
from forecast.evaluation.cases.masks import mask_cases
from forecast.evaluation.cases.places import cases_of, middle, places_to_score
from forecast.evaluation.cases.plan import case_at, plan_cases
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.forecaster import ForecastYear, forecaster_method
from forecast.evaluation.methods.method import CaseMethod
from forecast.evaluation.methods.rules import texture
from forecast.evaluation.scores.harm import Harm
from forecast.evaluation.scores.parts import PLACE_PARTS
from preprocessing.errors import MissingFileError, RequestError
from preprocessing.series import PlaceSeries


class Steady:
    """Adds ten levels a year, and remembers how often it was started."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, ...]] = []
        self.computed = 0

    def __call__(self, past: PlaceSeries) -> Iterator[ForecastYear]:
        self.seen.append(tuple(past.years))
        present = past.images[-1].astype(int)
        for year in range(1, 30):
            self.computed += 1
            states = (present + 10 * year)[None].clip(0, 255).astype(np.uint8)
            yield ForecastYear(states, np.full((24, 24), year / 100, np.float32))


def test_a_forecaster_sees_the_past_only_and_computes_each_year_once() -> None:
    place = made_series(years=tuple(range(1990, 2011)))
    plans = [case_at(place.years, 5, 5 + years, 3) for years in (1, 3, 7)]
    plans.append(case_at(place.years, 8, 10, 3))
    steady = Steady()
    method = forecaster_method("steady", steady)
    cases = [build_case(place, plan) for plan in plans]
    found = [method.forecast(case) for case in cases]
    assert steady.seen == [tuple(range(1990, 1996)), tuple(range(1990, 1999))]
    assert steady.computed == 7 + 2
    assert [float(f.probability[0, 0]) for f in found] == pytest.approx([0.01, 0.03, 0.07, 0.02])
    assert found[0].year_before is None
    gain = found[2].members[0] - found[2].year_before[0]
    assert gain[:, cases[2].present.max(axis=0) < 180].mean() == pytest.approx(10, abs=0.2)
    again = method.forecast(cases[0])  # Back in time it begins anew.
    np.testing.assert_array_equal(again.members, found[0].members)


def test_harm_is_that_of_what_is_expected_of_a_forecaster() -> None:
    place = made_series(years=tuple(range(1990, 2000)))
    case = build_case(place, case_at(place.years, 5, 8, 3))
    forecast = forecaster_method("steady", Steady()).forecast(case)
    moved = forecast.members[0] - case.present
    np.testing.assert_allclose(forecast.mean - case.present, 0.03 * moved, atol=1e-3)
    rmse = Harm().scores(Harm().sums(forecast, case))["rmse"]
    apart = (forecast.mean - case.truth)[:, case.seen] / 255
    assert rmse == pytest.approx(np.sqrt((apart**2).mean()), rel=1e-4)


def test_equal_probabilities_are_ranked_by_the_change_of_the_mean() -> None:
    place = made_series(years=tuple(range(1990, 2000)))
    case = build_case(place, case_at(place.years, 5, 6, 3))
    forecast = forecaster_method("steady", Steady()).forecast(case)
    assert isinstance(forecast, PlaceForecast)
    assert len(np.unique(forecast.probability)) == 1
    moved = np.abs(forecast.members[0] - case.present).mean(axis=0)
    np.testing.assert_array_equal(np.argsort(forecast.ranked.ravel()), np.argsort(moved.ravel()))


def test_places_of_two_dates_are_left_out_and_cities_are_thinned() -> None:
    years = (2000, 2003, 2006)
    store = MadeStore(
        *(made_series(seed=i, years=years, name=f"city/{i:03}") for i in range(5)),
        made_series(years=years, name="valley", split="val"),
        made_series(years=years[:2], name="pair"),
    )
    names = places_to_score(store, splits=("train", "val"), parts=2)
    assert len(names) == 3
    assert "valley" in names
    assert places_to_score(store, splits=("val",), parts=2) == ["valley"]
    assert {case.place for case in cases_of(store, names)} == set(names)


def test_the_middle_of_a_place_is_whole_cells() -> None:
    place = made_series(years=(2000, 2003, 2006))
    cut = middle(place, 42)
    assert cut.valid.shape == (3, 40, 40)
    np.testing.assert_array_equal(cut.images, place.images[..., 28:68, 28:68])
    np.testing.assert_array_equal(middle(place, 512).images, place.images)


def test_masks_are_laid_over_their_places(tmp_path: Path) -> None:
    store = MadeStore(made_series(years=(2015, 2018), name="nantes", split="val"))
    drawn = np.zeros((97, 95), np.uint8)  # Off by a pixel either way.
    drawn[32:40, 40:48] = 255
    Image.fromarray(drawn).save(tmp_path / "nantes.png")
    (case,) = mask_cases(store, tmp_path)
    assert np.argwhere(case.event).tolist() == [[8, 10], [8, 11], [9, 10], [9, 11]]
    (cut,) = mask_cases(store, tmp_path, side_px=64)
    np.testing.assert_array_equal(cut.event, case.event[4:20, 4:20])
    with pytest.raises(MissingFileError, match="named like places"):
        next(mask_cases(MadeStore(made_series(years=(2015, 2018), name="rio")), tmp_path))
    with pytest.raises(MissingFileError, match="a folder of masks, found none"):
        next(mask_cases(store, tmp_path / "none"))


@pytest.fixture(scope="module")
def report(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    years = (1999, 2000, 2001, 2002, 2003)
    store = MadeStore(
        made_series(years=years, name="<b>0", split="train"),
        made_series(seed=7, years=years, name="valley", split="val"),
    )
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.scores.pairs.SeriesStore, "open", lambda path: store)
        evaluate(EvaluationRequest(str(tiny_model_folder), ["made.zarr"], out, members=2))
        with pytest.raises(RequestError, match="three dates"):
            evaluate(
                EvaluationRequest(str(tiny_model_folder), ["made.zarr"], out / "no", split="test")
            )
    return out


def test_the_report_asks_its_questions_in_order(report: Path) -> None:
    text = (report / "report.html").read_text()
    page = Page(text)
    places = [page.text.index(part.title) for part in PLACE_PARTS]
    assert places == sorted(places)
    assert all(part.meaning.split(".")[0] in page.text for part in PLACE_PARTS)
    assert "nan" not in page.text.lower()
    assert "<b>0" in page.text  # As text, with its brackets.
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe"}
        source = attributes.get("src")
        assert source is None or source.startswith("data:image/")
    assert "places of training" in page.text
    assert "other places" in page.text
    assert "representative member" in page.text


def test_the_numbers_of_the_report_are_recorded(report: Path) -> None:
    record = json.loads((report / "scores.json").read_text())
    whole = record["splits_scored"]["scores"]
    assert set(whole) == {"places of training", "other places"}
    methods = whole["other places"]
    assert next(iter(methods)) == "landcast"
    assert {"nothing changes", "changed before", "texture", "climatology"} <= set(methods)
    assert methods["nothing changes"]["harm_mean"] == 1
    assert methods["nothing changes"]["novel"] == 0
    assert methods["landcast"]["detail"] > 0
    assert set(record["places_scored"]["scores"]) == {"<b>0", "valley"}
    short = (report / "report.md").read_text()
    assert short.index(PLACE_PARTS[0].title) < short.index(PLACE_PARTS[2].title)
    assert "| other places (1) | landcast |" in short


@pytest.mark.parametrize("option", [{"masks": Path("masks")}, {"dates": (1, 2)}])
def test_some_options_are_for_series_only(
    option: dict[str, object], tmp_path: Path, tiny_model_folder: Path
) -> None:
    with pytest.raises(RequestError, match=f"--{next(iter(option))}"):
        evaluate(
            EvaluationRequest(str(tiny_model_folder), ["pairs.zarr"], tmp_path / "out", **option)
        )


def test_pairs_have_no_effect_on_series(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MadeStore(made_series(years=(2015, 2018), name="rio"))
    monkeypatch.setattr(app.scores.pairs.SeriesStore, "open", lambda path: store)
    with pytest.raises(RequestError, match="--pairs with pair stores only"):
        evaluate(EvaluationRequest(str(tiny_model_folder), ["a"], tmp_path / "out", pairs=5))


def test_plans_of_a_short_series_end_before_its_last_date() -> None:
    plans = plan_cases(np.array([1999.0, 2000, 2001, 2002, 2003]), starts=1)
    assert [(plan.start, plan.target) for plan in plans] == [(2, 3)]


def test_the_table_of_places_has_a_row_a_start_and_horizon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    years = (1999, 2000, 2001, 2002, 2003)
    parts = [made_series(seed=i, years=years, name=f"city/{i}") for i in range(2)]
    store = MadeStore(*parts, made_series(seed=7, years=years, name="valley", split="val"))
    monkeypatch.setattr(places.SeriesStore, "open", lambda path: store)
    out = tmp_path / "places.md"
    monkeypatch.setattr("sys.argv", ["places", "made.zarr", "--rules", "--out", str(out)])
    places.main()
    text = out.read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| city |", "| valley |"))]
    assert [row.split("|")[3].strip() for row in rows] == 2 * ["2000 +1", "2000 +2", "2001 +1"]
    cases = [c for c in cases_of(store, ["valley"]) if (c.start, c.years) == (2001, 1)]
    rule = CaseMethod("texture", lambda case: PlaceForecast(ranking=texture(case)))
    auc = places.score_place(cases, rule)["lasting_auc"]
    assert rows[-1].split("|")[6].strip() == f"{auc:.2f}"
