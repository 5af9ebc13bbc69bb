"""Figures of the scores, as SVG within the page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.evaluation.bootstrap import Estimate
from forecast.evaluation.results import ALL, MethodScores, Section

__all__ = [
    "COLOURS",
    "aggregation_chart",
    "chart",
    "look",
    "rank_chart",
    "skill_chart",
    "spectrum_chart",
]

COLOURS = ("#2f9e6e", "#8a9299", "#3668c4", "#d6455d", "#6b4fa0", "#c98a1b", "#1b9fb0")
"""By position of the method; told apart by their marks too."""

_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")  # One more than colours: 56 looks.
_INK, _LINE = "#22272b", "#dfe3e6"
_STYLE: dict[Any, Any] = {  # matplotlib wants each key as a literal of its own.
    "svg.fonttype": "none",
    "svg.hashsalt": "landcast",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": "#68727a",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": "#68727a",
    "ytick.color": "#68727a",
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def skill_chart(sections: Sequence[Section], names: Sequence[str]) -> str:
    """CRPS skill of the first method against the others by horizon, with 95 % intervals.

    Args:
        sections: Of one dataset, a class of horizons each.
        names: All methods, for their colours.
    """
    classes = [section for section in sections if section.horizon != ALL]

    def draw(axes: Axes) -> None:
        against = [name for name in names[1:] if any(_skill(s, name) for s in classes)]
        for number, name in enumerate(against):
            points = [(i, skill) for i, s in enumerate(classes) if (skill := _skill(s, name))]
            shift = 0.14 * (number - (len(against) - 1) / 2)
            x = np.array([i for i, _ in points]) + shift
            y, low, high = (
                np.array([getattr(skill, part) for _, skill in points])
                for part in ("value", "low", "high")
            )
            colour, mark = look(names, name)
            axes.plot(x, y, mark, color=colour, label=f"against {name}", markersize=5)
            known = np.isfinite(low)
            axes.vlines(x[known], low[known], high[known], color=colour, linewidth=1.5)
        axes.axhline(0, color=_INK, linewidth=0.8)
        axes.set_xticks(range(len(classes)), [f"{s.horizon}\n{s.pairs} pairs" for s in classes])
        axes.set_xlim(-0.5, len(classes) - 0.5)
        axes.set_ylim(*_within(axes.get_ylim(), -1.0, 1.0))
        axes.set_xlabel("horizon, years")
        axes.set_ylabel("CRPS skill")
        if against:
            axes.legend(loc="best")

    return chart(draw, "CRPS skill by horizon")


def rank_chart(section: Section, names: Sequence[str]) -> str:
    """Rank histograms of all ensembles; the dashed line is a calibrated one."""

    def draw(axes: Axes) -> None:
        ranks = 0
        for method, share in _curves(section.methods, "rank_share"):
            ranks = len(share)
            edges = np.linspace(0, 1, ranks + 1)
            colour, _ = look(names, method.method)
            # Relative to flat, so that ensembles of different sizes share an axis.
            axes.stairs(
                np.asarray(share) * ranks, edges, color=colour, label=method.method, linewidth=1.5
            )
        axes.axhline(1, color=_INK, linewidth=0.8, linestyle="--")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, max(2.0, min(axes.get_ylim()[1], 8.0)))
        axes.set_xlabel("rank of the truth, of all members")
        axes.set_ylabel("values, relative to flat")
        if ranks:
            axes.legend(loc="upper center")

    return chart(draw, "Rank histograms")


def spectrum_chart(section: Section, names: Sequence[str]) -> str:
    """Mean log power of members, relative to the truth, by spatial frequency."""

    def draw(axes: Axes) -> None:
        for method, power in _curves(section.methods, "power_db"):
            excess = np.asarray(power) - np.asarray(method.curves["power_truth_db"])
            colour, mark = look(names, method.method)
            x = np.arange(1, len(excess) + 1)
            axes.plot(x, excess, color=colour, marker=mark, markersize=3, label=method.method)
        axes.axhline(0, color=_INK, linewidth=0.8, linestyle="--")
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        axes.set_xlabel("cycles a tile of 32 px")
        axes.set_ylabel("power minus truth, dB")
        axes.legend(loc="best")

    return chart(draw, "Power spectra")


def aggregation_chart(section: Section, names: Sequence[str]) -> str:
    """RMSE of the ensemble mean over that of persistence, by size of the blocks averaged."""

    def draw(axes: Axes) -> None:
        for method, found in _curves(section.methods, "rmse_ratio"):
            colour, mark = look(names, method.method)
            side = method.curves["block_px"]
            axes.plot(side, found, color=colour, marker=mark, markersize=4, label=method.method)
        axes.axhline(1, color=_INK, linewidth=0.8, linestyle="--")
        axes.set_xscale("log", base=2)
        sides = [4, 8, 16, 32, 64, 128]
        axes.set_xticks(sides, [str(side) for side in sides])
        axes.set_ylim(*_within(axes.get_ylim(), 0.0, 2.0))
        axes.set_xlabel("side of the blocks, image pixels")
        axes.set_ylabel("RMSE over persistence")
        axes.legend(loc="best")

    return chart(draw, "RMSE by aggregation")


def _curves(
    methods: Iterable[MethodScores], name: str
) -> Iterable[tuple[MethodScores, Sequence[float]]]:
    return [(method, method.curves[name]) for method in methods if method.curves.get(name)]


def _skill(section: Section, against: str) -> Estimate | None:
    for comparison in section.comparisons:
        if comparison.against == against:
            return comparison.skill.get("crps")
    return None


def look(names: Sequence[str], name: str) -> tuple[str, str]:
    """Colour and mark of the method `name` among `names`."""
    number = list(names).index(name)
    return COLOURS[number % len(COLOURS)], _MARKS[number % len(_MARKS)]


def _within(limits: tuple[float, float], lowest: float, highest: float) -> tuple[float, float]:
    """Limits of an axis that one bad method cannot stretch without end."""
    return max(limits[0], lowest), min(limits[1], highest)


def chart(
    draw: Callable[[Axes], None], title: str, *, size: tuple[float, float] = (4.3, 3.0)
) -> str:
    """An image element that holds a figure as SVG; `draw` fills its axes, `size` is in inches."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.subplots()
        axes.patch.set_alpha(0)
        draw(axes)
        axes.set_title(title, loc="left", fontsize=10, color=_INK)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    packed = base64.b64encode(buffer.getvalue()).decode()
    return f"<img class=chart alt='{html.escape(title)}' src='data:image/svg+xml;base64,{packed}'>"
