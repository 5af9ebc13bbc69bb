"""Colour bars and the time line under the slider, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np

from app.web.pictures import Layer

__all__ = ["legend_html", "time_line_html"]

_SMALL = "font-size:0.8rem;opacity:0.8"
_OBSERVED, _FORECAST = "#8b93a1", "#d97706"


def legend_html(layer: Layer, top: float) -> str:
    """A colour bar with its numbers and unit, as HTML."""
    stops = matplotlib.colormaps[layer.colours or "gray"](np.linspace(0, 1, 12))
    colours = ", ".join(matplotlib.colors.to_hex(colour) for colour in stops)
    if layer.kind == "change_probability":
        ticks, unit = ("0 %", "50 %", "100 %"), "probability of change"
    else:
        ticks, unit = (
            ("0", f"{top / 2:.3g}", f"{top:.3g}"),
            "standard deviation, units of the input",
        )
    labels = "".join(f"<span>{tick}</span>" for tick in ticks)
    return (
        '<div style="height:12px;border-radius:3px;'
        f'background:linear-gradient(to right,{colours})"></div>'
        f'<div style="display:flex;justify-content:space-between;{_SMALL}">{labels}</div>'
        f'<div style="{_SMALL}">{unit}</div>'
    )


def time_line_html(years: Sequence[int], start_year: int | None) -> str:
    """A bar below the year slider: observed years grey, forecast years amber.

    Args:
        years: What the slider offers, ascending; its stops are evenly spaced.
        start_year: Last observed year before the forecast, or None without a forecast.
    """
    steps = max(len(years) - 1, 1)
    past = years.index(start_year) / steps if start_year is not None else 1.0
    last = years[-1] if start_year is None else start_year
    parts = [_part(past, _OBSERVED, f"observed {years[0]} to {last}" if past else str(last))]
    if past < 1:
        parts.append(_part(1 - past, _FORECAST, f"forecast to {years[-1]}"))
    return f'<div style="display:flex;margin:-0.6rem 6px 0 6px">{"".join(parts)}</div>'


def _part(share: float, colour: str, label: str) -> str:
    return (
        f'<div style="flex:{max(share, 0.08):.4f};min-width:0;border-top:4px solid {colour};'
        f'padding-top:2px;white-space:nowrap;color:{colour};{_SMALL}">{label}</div>'
    )
