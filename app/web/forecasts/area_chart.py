"""A chart and a table of changed area by year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st
from markupsafe import Markup

from app.web.texts import language, number, text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ChangedByYear", "area_table", "draw_areas", "show_chart"]

_COLOUR, _INK = "#d97706", "#808a92"
"""Both can be read on a light and on a dark page."""
_SIZE = (6.0, 2.9)
_FITS = Markup("<style>img.chart { max-width: 100%; height: auto; }</style>")
_KEYS = ("expected", "low", "middle", "high")


@dataclass(frozen=True)
class ChangedByYear:
    """How much ground is expected to have changed by a year, and its quantiles, in one unit.

    Attributes:
        year: Calendar year.
        expected: Mean.
        low: 5 %.
        middle: 50 %.
        high: 95 %.
    """

    year: int
    expected: float
    low: float
    middle: float
    high: float


def show_chart(rows: Sequence[ChangedByYear], start: int, unit: str) -> None:
    """Show `draw_areas`."""
    st.html(_drawn(tuple(rows), start, unit, language()))


@st.cache_data(max_entries=64, show_spinner=False)
def _drawn(rows: tuple[ChangedByYear, ...], start: int, unit: str, written_in: str) -> str:
    from preprocessing.report.charts import chart  # Not before the map: it takes long to load.

    drawn = chart(
        lambda axes: draw_areas(axes, rows, start, unit),
        title=text("area_help_text"),
        size=_SIZE,
        ink=_INK,
    )
    return str(_FITS + drawn)


def draw_areas(axes: Axes, rows: Sequence[ChangedByYear], start: int, unit: str) -> None:
    """Draw what is expected, the middle, and the range of 5 to 95 %.

    Args:
        axes: To draw on.
        rows: By year.
        start: Year of nothing changed.
        unit: Of the areas.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    every = [ChangedByYear(start, 0.0, 0.0, 0.0, 0.0), *rows]
    years = [row.year for row in every]
    axes.fill_between(
        years,
        [row.low for row in every],
        [row.high for row in every],
        color=_COLOUR,
        alpha=0.25,
        linewidth=0,
    )
    axes.plot(years, [row.middle for row in every], color=_COLOUR, linestyle="--", linewidth=1)
    axes.plot(years, [row.expected for row in every], color=_COLOUR, linewidth=2, marker="o")
    axes.grid(color=_INK, alpha=0.25)
    axes.spines[:].set_color(_INK)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def area_table(rows: Sequence[ChangedByYear]) -> str:
    """The same as a table in Markdown."""
    head = [text("column_year"), *(text(f"column_{key}") for key in _KEYS)]
    lines = [head, ["---", *("--:" for _ in _KEYS)]]
    lines += [[str(row.year), *(number(getattr(row, key)) for key in _KEYS)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
