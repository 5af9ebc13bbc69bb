"""Numbers, counts and dates as each language writes them, and the chart that they are in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import streamlit as st
from matplotlib.figure import Figure
from streamlit.testing.v1 import AppTest

from app.web.forecasts.area_chart import ChangedByYear, area_table, draw_areas
from app.web.texts import days, futures, number

ROWS = [ChangedByYear(2021, 10.5, 1.25, 8.0, 20.0), ChangedByYear(2022, 30.0, 2.5, 25.0, 55.5)]


@pytest.fixture(params=["en", "ru"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    st.session_state["language"] = request.param
    yield request.param
    del st.session_state["language"]


def test_numbers(language: str) -> None:
    said = [number(0.00125), number(3.14159), number(1234.5), number(0.5, 2), number(0.0)]
    if language == "en":
        assert said == ["0.00125", "3.14", "1,234", "0.50", "0"]
    else:
        assert said == ["0,00125", "3,14", "1\u202f234", "0,50", "0"]


def test_counts(language: str) -> None:
    said = [futures(count) for count in (1, 2, 5, 11, 21, 22, 112)]
    if language == "en":
        assert said[:2] == ["1 possible future", "2 possible futures"]
    else:
        assert [one.split()[1] for one in said] == [
            "вариант",
            "варианта",
            "вариантов",
            "вариантов",
            "вариант",
            "варианта",
            "вариантов",
        ]


def test_days(language: str) -> None:
    found = [dt.date(2020, 7, 3), dt.date(2020, 7, 3), dt.date(2020, 8, 21)]
    both = "2 days, 3 Jul to 21 Aug" if language == "en" else "2 дня, с 3 июля по 21 авг."  # noqa: RUF001
    assert days(found) == both
    assert days(found[:1]) == ("1 day, 3 Jul" if language == "en" else "1 день, 3 июля")


def test_the_chart_draws_what_it_is_given(language: str) -> None:
    axes = Figure().subplots()
    draw_areas(axes, ROWS, 2020, "ha")
    middle, expected = axes.lines
    assert list(expected.get_xdata()) == [2020, 2021, 2022]
    assert list(expected.get_ydata()) == [0, 10.5, 30]
    assert list(middle.get_ydata()) == [0, 8, 25]
    corners = axes.collections[0].get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} >= {(2022, 2.5), (2022, 55.5), (2021, 1.25)}
    assert axes.get_ylabel() == "ha"
    said = axes.yaxis.get_major_formatter()(10.5)
    assert said == ("10.5" if language == "en" else "10,5")


def test_the_table_has_a_row_a_year(language: str) -> None:
    rows = area_table(ROWS).splitlines()
    assert len(rows) == 4
    assert rows[2] == (
        "| 2021 | 10.5 | 1.25 | 8 | 20 |" if language == "en" else "| 2021 | 10,5 | 1,25 | 8 | 20 |"
    )


def test_the_address_of_every_page_tells_a_language_that_was_chosen() -> None:
    def page() -> None:
        from app.web.texts import choose_language

        choose_language()

    visit = AppTest.from_function(page).run()
    assert "lang" not in visit.query_params
    visit.session_state["language"] = "ru"
    visit.query_params.clear()  # As another page of the bar has it.
    visit.run()
    assert visit.query_params["lang"] in ("ru", ["ru"])
