"""A chart of changed area by year, drawn as SVG: there at once, and in the colours of the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.web.texts import number, text

__all__ = ["ChangedByYear", "area_chart", "area_table", "show_chart"]

_WIDTH, _HEIGHT = 480, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 18, 12, 26
_STYLE = (
    "display:block;width:100%;max-height:300px;font:12px var(--st-font);color:var(--st-text-color)"
)
_COLOUR = "#d97706"
_KEYS = ("expected", "low", "middle", "high")
_SCRIPT = "export default ({ data, parentElement }) => { parentElement.innerHTML = data.chart; };"
_component = st.components.v2.component("landcast_chart", js=_SCRIPT)


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
    """Show `area_chart`."""
    _component(key="chart", data={"chart": area_chart(rows, start, unit)})


def area_chart(rows: Sequence[ChangedByYear], start: int, unit: str) -> str:
    """An SVG of the years: what is expected, the middle, and the range of 5 to 95 %.

    Args:
        rows: By year.
        start: Year of nothing changed.
        unit: Of the areas.
    """
    every = [ChangedByYear(start, 0.0, 0.0, 0.0, 0.0), *rows]
    step = _step(max(row.high for row in every))
    top = step * max(math.ceil(max(row.high for row in every) / step), 1)

    def at(year: int, value: float) -> str:
        across = (year - start) / max(every[-1].year - start, 1)
        x = _LEFT + across * (_WIDTH - _LEFT - _RIGHT)
        return f"{x:.1f},{_TOP + (1 - value / top) * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    def line(key: str) -> str:
        return " ".join(at(row.year, getattr(row, key)) for row in every)

    parts = [f"<title>{html.escape(text('area_help_text'))}</title>"]
    for mark in range(round(top / step) + 1):
        y = at(start, step * mark).split(",")[1]
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="currentColor" '
            f'opacity="0.18"/><text x="{_LEFT - 8}" y="{y}" dy="4" text-anchor="end" '
            f'fill="currentColor">{number(step * mark)}</text>'
        )
    parts.append(f'<text x="4" y="{_TOP + 2}" fill="currentColor">{html.escape(unit)}</text>')
    apart = max(1, math.ceil(len(every) / 8))
    for row in every[::apart]:
        x = at(row.year, 0).split(",")[0]
        parts.append(
            f'<text x="{x}" y="{_HEIGHT - 6}" text-anchor="middle" fill="currentColor">{row.year}'
            "</text>"
        )
    around = f"{line('low')} {' '.join(reversed(line('high').split()))}"
    parts += [
        f'<polygon points="{around}" fill="{_COLOUR}" opacity="0.25"/>',
        f'<polyline points="{line("middle")}" fill="none" stroke="{_COLOUR}" '
        'stroke-dasharray="5 4" stroke-width="1.5"/>',
        f'<polyline points="{line("expected")}" fill="none" stroke="{_COLOUR}" stroke-width="3"/>',
    ]
    for row in rows:
        x, y = at(row.year, row.expected).split(",")
        said = "; ".join(f"{text(f'column_{key}')} {number(getattr(row, key))}" for key in _KEYS)
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="4.5" fill="{_COLOUR}"><title>{row.year}: '
            f"{html.escape(said)} {html.escape(unit)}</title></circle>"
        )
    label = html.escape(text("area_help_text"))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}" style="{_STYLE}">'
        f"{''.join(parts)}</svg>"
    )


def area_table(rows: Sequence[ChangedByYear]) -> str:
    """The same as a table in Markdown."""
    head = [text("column_year"), *(text(f"column_{key}") for key in _KEYS)]
    lines = [head, ["---", *("--:" for _ in _KEYS)]]
    lines += [[str(row.year), *(number(getattr(row, key)) for key in _KEYS)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _step(highest: float) -> float:
    """A round step between lines, of which there are three to six."""
    rough = max(highest, 1e-9) / 4
    power = 10 ** math.floor(math.log10(rough))
    return float(next(power * by for by in (1, 2, 2.5, 5, 10) if power * by >= rough * 0.999))
