"""Scores by number of dates: the history that a forecaster sees is cut, its scores stand apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from html_reader import Page
from series_cases import MadeStore, made_case, made_series

import app.scores.forecast
import app.scores.history
import app.scores.pairs
from app.cli.options import parse_dates
from app.scores.pairs import evaluate
from app.scores.request import EvaluationRequest
from forecast.evaluation.methods.forecaster import ForecastYear
from forecast.evaluation.methods.history import with_dates, within, without
from forecast.evaluation.scores.sums import EvaluationSums, Group
from preprocessing.errors import RequestError
from preprocessing.series import PlaceSeries


class Counts:
    """Expects as many per cent of the cells to change as it sees dates; notes what it saw."""

    def __init__(self, factor: int = 1) -> None:
        self.factor = factor
        self.seen: list[list[float]] = []

    def __call__(self, past: PlaceSeries) -> Iterator[ForecastYear]:
        self.seen.append(past.years.tolist())
        shape = tuple(size // 4 for size in past.valid.shape[1:])
        share = self.factor * len(past) / 100
        while True:
            states = past.images[-1:].repeat(2, axis=0)
            yield ForecastYear(states, np.full(shape, share, np.float32))


def test_only_the_nearest_dates_are_seen() -> None:
    forecaster, case = Counts(), made_case(earlier=3)
    forecast = with_dates("two", forecaster, 2).forecast(case)
    assert forecaster.seen == [[1999, 2000]]
    assert forecast is not None
    assert forecast.probability is not None
    assert forecast.probability.max() == pytest.approx(0.02)
    assert with_dates("four", forecaster, 4).forecast(case) is not None
    assert with_dates("five", forecaster, 5).forecast(case) is None


def test_methods_are_compared_on_cases_that_all_of_them_forecast() -> None:
    few, many = Group("a", 0, "a", ("x", "one")), Group("b", 0, "b", ("x", "one", "two"))
    sums = EvaluationSums()
    for group in (few, many):
        sums.count([group])
        for method in group.methods:
            sums.add([group], method, "s", np.ones((1, 1)))
    both = within(sums, ["x", "one", "two"])
    assert set(both.pairs) == {many}
    assert both.methods() == ["x", "one", "two"]
    assert {group for group, *_ in both.sums} == {many}
    rest = without(sums, ["one", "two"])
    assert set(rest.pairs) == {few, many}
    assert rest.methods() == ["x"]


def test_the_report_tells_scores_by_number_of_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    years = tuple(range(1999, 2006))
    store = MadeStore(
        made_series(years=years, name="town"),
        made_series(seed=7, years=years[2:], name="young", split="val"),
    )

    def made(model: str | None, *, calibrate: bool = True, **_: object) -> Counts:
        return Counts() if calibrate else Counts(5)

    for module in (app.scores.forecast, app.scores.history):
        monkeypatch.setattr(module, "place_forecaster", made)
    monkeypatch.setattr(app.scores.pairs.SeriesStore, "open", lambda path: store)
    out = tmp_path / "out"
    evaluate(EvaluationRequest(None, ["made.zarr"], out, members=2, dates=(1, 4)))
    record = json.loads((out / "scores.json").read_text())
    found = record["by_dates"]["scores"]
    assert set(found) == {"places of training"}  # The other place has three dates at its start.
    shares = {name: s["lasting_share_forecast"] for name, s in found["places of training"].items()}
    assert shares == pytest.approx(
        {
            "landcast": 0.04,
            "landcast, 1 date": 0.01,
            "landcast, 4 dates": 0.04,
            "landcast, not calibrated": 0.2,
        }
    )
    for scores in record["splits_scored"]["scores"].values():
        assert not [name for name in scores if name.startswith("landcast,")]
    short = (out / "report.md").read_text()
    assert "| places of training (1) | landcast, 1 date |" in short.partition("number of dates")[2]
    page = Page((out / "report.html").read_text())
    assert "What is history worth?" in page.text
    with pytest.raises(RequestError, match="--dates of 4 at most, got 8"):
        evaluate(EvaluationRequest(None, ["made.zarr"], tmp_path / "no", members=2, dates=(1, 8)))


def test_numbers_of_dates_are_read() -> None:
    assert parse_dates(None) == ()
    assert parse_dates("1,2, 8") == (1, 2, 8)
    for wrong in ("0", "1,,2", "two", "-1"):
        with pytest.raises(Exception, match="numbers of dates"):
            parse_dates(wrong)
