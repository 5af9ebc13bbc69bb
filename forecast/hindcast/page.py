"""Hindcasts of a place as one page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from forecast.evaluation.reports.charts import COLOURS, chart
from forecast.hindcast.by_horizon import HorizonSkill, longest_better
from forecast.hindcast.outcome import Outcome
from forecast.hindcast.text import MEANINGS, TITLES, reach, row_of, two_digits
from preprocessing.report.html_page import figure, html_page, table

__all__ = ["hindcast_page"]

_STYLE = """
img.chart{width:100%;height:auto;display:block}figure{margin-bottom:14px}
.two{grid-template-columns:repeat(auto-fit,minmax(min(400px,100%),1fr))}
th.n{white-space:normal;vertical-align:bottom}p.reach{color:var(--ink);font-size:17px}
"""
_SETTINGS = ("region", "dates", "left_out", "model", "members", "seed", "calibrate", "landcast")
_STARTS = (
    "from",
    "years ahead",
    "dates known",
    "weight of the past",
    "AUC",
    "changed before",
    "texture",
    "expected",
    "changed",
    "RMSE / nothing changes",
    "CRPS skill",
)


def hindcast_page(
    region: str,
    outcomes: Sequence[Outcome],
    skills: Sequence[HorizonSkill],
    *,
    settings: Mapping[str, Any],
) -> str:
    """Draw the report; the page asks nothing of the network and runs no script.

    Args:
        region: Name of the image of the last date.
        outcomes: Every hindcast.
        skills: By horizon.
        settings: Of which some are shown at the end.

    Returns:
        An HTML document.
    """
    title = f"Forecasts of the past: {region}"
    starts = sorted({found.start for found in outcomes})
    body = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>From {len(starts)} dates of the place, {starts[0]} to {starts[-1]}, landcast "
        "forecast what followed from what was known then, and nothing later.</p>",
        f"<p class=reach><b>{html.escape(reach(skills))}</b></p>",
        _cards(skills),
        "<h2>By horizon</h2>",
        figure(table(TITLES, [tuple(map(html.escape, row_of(skill))) for skill in skills])),
        "<div class=two>"
        + figure(_auc_chart(skills), "Mean over starts; dashed: guessing, nothing changes.")
        + figure(_area_chart(skills), "Share of the cells, mean over starts.")
        + figure(
            _ratio_chart(outcomes, skills, "pictures"), "Below 1 the mean of the members is better."
        )
        + figure(_ratio_chart(outcomes, skills, "observations"), "Below 1 the ensemble is better.")
        + "</div>",
        "<h2>From every start</h2>",
        figure(table(_STARTS, [_start(found) for found in outcomes])),
        "<h2>How to read this</h2><ul>"
        + "".join(f"<li><p>{html.escape(text)}</p></li>" for text in MEANINGS)
        + "</ul><p>All on means over cells of 4 x 4 pixels, of large regions on a sample of "
        "blocks, in the colours of each start. Starts overlap in time: they are fewer looks than "
        "they seem. What never happened here is not in them.</p>",
        "<h2>Settings</h2>" + figure(_settings(settings)),
    ]
    return html_page(title, body, style=_STYLE)


def _cards(skills: Sequence[HorizonSkill]) -> str:
    longest = longest_better(skills)
    values = {
        "years ahead up to which something beat nothing changes": str(longest or "none"),
        "forecasts of the past": str(sum(skill.starts for skill in skills)),
    }
    for skill in skills:
        if skill.auc is not None and skill.auc_before is not None:
            label = f"AUC {skill.horizon} years ahead; changed before {skill.auc_before:.2f}"
            values[label] = f"{skill.auc:.2f}"
    boxes = "".join(
        f"<div class=card><b>{html.escape(value)}</b><span>{html.escape(label)}</span></div>"
        for label, value in values.items()
    )
    return f"<div class=cards>{boxes}</div>"


def _auc_chart(skills: Sequence[HorizonSkill]) -> str:
    lines = {"landcast": "auc", "changed before": "auc_before", "texture": "auc_texture"}

    def draw(axes: Axes) -> None:
        for (label, name), colour, mark in zip(lines.items(), COLOURS, "os^", strict=False):
            points = [(s.horizon, v) for s in skills if (v := getattr(s, name)) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), f"{mark}-", color=colour, label=label)
        axes.axhline(0.5, color="#22272b", linewidth=0.8, linestyle="--")
        axes.set_ylim(min(0.4, axes.get_ylim()[0]), 1)
        _years(axes, skills)
        axes.legend(loc="lower left", ncols=3)

    return chart(draw, "AUC of lasting change")


def _area_chart(skills: Sequence[HorizonSkill]) -> str:
    def draw(axes: Axes) -> None:
        for label, mark, colour in (("expected", "o", COLOURS[0]), ("changed", "s", COLOURS[1])):
            values = [100 * getattr(skill, label) for skill in skills]
            axes.plot([s.horizon for s in skills], values, f"{mark}-", color=colour, label=label)
        axes.set_ylim(0, None)
        axes.set_ylabel("% of the ground")
        _years(axes, skills)
        axes.legend(loc="upper left")

    return chart(draw, "Lasting change, expected and true")


def _ratio_chart(outcomes: Sequence[Outcome], skills: Sequence[HorizonSkill], what: str) -> str:
    ours, still = ("mse", "mse_still") if what == "pictures" else ("crps", "crps_still")
    power = 0.5 if what == "pictures" else 1.0

    def draw(axes: Axes) -> None:
        points = [
            (found.horizon, (getattr(found, ours) / getattr(found, still)) ** power)
            for found in outcomes
            if getattr(found, still) > 0
        ]
        axes.plot(*zip(*points, strict=True), "o", color=COLOURS[2], alpha=0.5, label="each start")
        means = [s.harm if what == "pictures" else 1 - s.crps_skill for s in skills]
        axes.plot([s.horizon for s in skills], means, "-", color=COLOURS[0], label="mean")
        axes.axhline(1, color="#22272b", linewidth=0.8, linestyle="--")
        _years(axes, skills)
        axes.legend(loc="best")

    title = "RMSE over that of nothing changes"
    return chart(draw, title if what == "pictures" else "CRPS over that of dressed persistence")


def _years(axes: Axes, skills: Sequence[HorizonSkill]) -> None:
    axes.set_xticks([skill.horizon for skill in skills])
    axes.set_xlabel("years ahead")


def _start(found: Outcome) -> tuple[str, ...]:
    harm = (found.mse / found.mse_still) ** 0.5 if found.mse_still else None
    crps = 1 - found.crps / found.crps_still if found.crps_still else None
    shares = f"{found.expected:.1%}", f"{found.changed:.1%}"
    return (
        html.escape(found.start),
        f"{found.years:.1f}",
        str(found.dates),
        f"{found.weight:.2g}",
        *(two_digits(value) for value in (found.auc, found.auc_before, found.auc_texture)),
        *shares,
        two_digits(harm),
        two_digits(crps),
    )


def _settings(settings: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><td class=row>{html.escape(name)}</td>"
        f"<td class=source>{html.escape(_text(settings[name]))}</td></tr>"
        for name in _SETTINGS
        if name in settings
    ]
    return f"<table>{''.join(rows)}</table>"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {item}" for key, item in value.items())
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
