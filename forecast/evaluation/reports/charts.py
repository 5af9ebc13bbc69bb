"""Figures of the scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from forecast.evaluation.scores.results import ALL, Section
from preprocessing.report.charts import INK, chart, look

__all__ = ["place_chart", "rank_chart", "reliability_chart"]


def rank_chart(section: Section, names: Sequence[str]) -> Markup:
    """Rank histograms of all ensembles; the dashed line is a calibrated one."""

    def draw(axes: Axes) -> None:
        ranks = 0
        for method in section.methods:
            share = method.curves.get("rank_share")
            if not share:
                continue
            ranks = len(share)
            edges = np.linspace(0, 1, ranks + 1)
            colour, _ = look(names, method.method)
            # Relative to flat, so that ensembles of different sizes share an axis.
            axes.stairs(
                np.asarray(share) * ranks, edges, color=colour, label=method.method, linewidth=1.5
            )
        axes.axhline(1, color=INK, linewidth=0.8, linestyle="--")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, max(2.0, min(axes.get_ylim()[1], 8.0)))
        axes.set_xlabel("rank of the truth, of all members")
        axes.set_ylabel("values, relative to flat")
        if ranks:
            axes.legend(loc="upper center")

    return chart(draw, title="Rank histograms")


def place_chart(
    places: Sequence[Section],
    names: Sequence[str],
    score: str,
    title: str,
    *,
    line: float,
    limits: tuple[float, float],
) -> Markup:
    """A score of all horizons of each place, by method; `line` is what no skill has."""
    whole = [section for section in places if section.horizon == ALL]

    def draw(axes: Axes) -> None:
        rows = np.arange(len(whole))[::-1]
        for name in names:
            points = [
                (found.scores[score].value, row)
                for section, row in zip(whole, rows, strict=True)
                for found in section.methods
                if found.method == name and np.isfinite(found.scores[score].value)
            ]
            if points:
                colour, mark = look(names, name)
                x = np.clip([x for x, _ in points], *limits)
                y = [row for _, row in points]
                axes.plot(
                    x, y, mark, color=colour, label=name, markersize=5, alpha=0.85, clip_on=False
                )
        axes.axvline(line, color=INK, linewidth=0.8, linestyle="--")
        axes.set_yticks(rows, [section.dataset for section in whole], fontsize=8)
        axes.set_xlim(*limits)
        axes.set_ylim(-0.7, len(whole) - 0.3)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3)

    return chart(draw, title=title, size=(5.2, 1.5 + 0.22 * max(4, len(whole))))


def reliability_chart(section: Section, names: Sequence[str]) -> Markup:
    """Observed share of lasting change by forecast probability, of classes that hold any cells."""

    def draw(axes: Axes) -> None:
        top = 0.05
        for method in section.methods:
            if not method.curves.get("frequency"):
                continue
            share = np.asarray(method.curves["frequency_share"], float)
            seen = share > 2e-4
            p = np.asarray(method.curves["probability"], float)[seen]
            y = np.asarray(method.curves["frequency"], float)[seen]
            colour, mark = look(names, method.method)
            axes.plot(p, y, color=colour, linewidth=1, label=method.method)
            axes.scatter(p, y, 6 + 60 * share[seen], color=colour, marker=mark)
            top = max(top, float(np.max(p, initial=0)), float(np.max(y, initial=0)))
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
        axes.set_xlim(-0.01 * top, 1.04 * top)
        axes.set_ylim(-0.01 * top, 1.04 * top)
        axes.set_xlabel("forecast probability of lasting change")
        axes.set_ylabel("share that changed lastingly")
        axes.legend(loc="upper left")

    return chart(draw, title=f"Reliability, {section.dataset}")
