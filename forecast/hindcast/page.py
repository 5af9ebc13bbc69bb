"""Hindcasts of a place as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from forecast.hindcast.by_horizon import HorizonSkill, longest_better
from forecast.hindcast.outcome import Outcome
from forecast.hindcast.text import MEANINGS, TITLES, reach, row_of, two_digits
from preprocessing.report.charts import COLOURS, INK, chart
from preprocessing.report.html_page import html_page

__all__ = ["hindcast_page"]

_TEMPLATE = Path(__file__).parent / "hindcast.html"
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

_SAMPLE = (
    "All on means over cells of 4 x 4 pixels, of large regions on a sample of blocks, in the "
    "colours of each start. Starts overlap in time: they are fewer looks than they seem. What "
    "never happened here is not in them."
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
    starts = sorted({found.start for found in outcomes})
    return html_page(
        _TEMPLATE,
        f"Forecasts of the past: {region}",
        starts=starts,
        reach=reach(skills),
        cards=_cards(skills),
        horizons=(TITLES, [row_of(skill) for skill in skills]),
        charts=[
            (_auc_chart(skills), "Mean over starts; dashed: guessing, nothing changes."),
            (_area_chart(skills), "Share of the cells, mean over starts."),
            (
                _ratio_chart(outcomes, skills, "pictures"),
                "Below 1 the mean of all futures is better.",
            ),
            (_ratio_chart(outcomes, skills, "observations"), "Below 1 the ensemble is better."),
        ],
        every_start=(_STARTS, [_start(found) for found in outcomes]),
        notes=(*MEANINGS, _SAMPLE),
        settings={name: settings[name] for name in _SETTINGS if name in settings},
    )


def _cards(skills: Sequence[HorizonSkill]) -> list[tuple[str, str]]:
    return [
        (
            "years ahead up to which something beat nothing changes",
            str(longest_better(skills) or "none"),
        ),
        ("forecasts of the past", str(sum(skill.starts for skill in skills))),
        *(
            (
                f"AUC {skill.horizon} years ahead; changed before {skill.auc_before:.2f}",
                f"{skill.auc:.2f}",
            )
            for skill in skills
            if skill.auc is not None and skill.auc_before is not None
        ),
    ]


def _auc_chart(skills: Sequence[HorizonSkill]) -> Markup:
    lines = {"landcast": "auc", "changed before": "auc_before", "texture": "auc_texture"}

    def draw(axes: Axes) -> None:
        for (label, name), colour, mark in zip(lines.items(), COLOURS, "os^", strict=False):
            points = [(s.horizon, v) for s in skills if (v := getattr(s, name)) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), f"{mark}-", color=colour, label=label)
        axes.axhline(0.5, color=INK, linewidth=0.8, linestyle="--")
        axes.set_ylim(min(0.4, axes.get_ylim()[0]), 1)
        _years(axes, skills)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left", ncols=3)

    return chart(draw, title="AUC of lasting change")


def _area_chart(skills: Sequence[HorizonSkill]) -> Markup:
    def draw(axes: Axes) -> None:
        for label, mark, colour in (("expected", "o", COLOURS[0]), ("changed", "s", COLOURS[1])):
            values = [100 * getattr(skill, label) for skill in skills]
            axes.plot([s.horizon for s in skills], values, f"{mark}-", color=colour, label=label)
        axes.set_ylim(0, None)
        axes.set_ylabel("% of the ground")
        _years(axes, skills)
        axes.legend(loc="upper left")

    return chart(draw, title="Lasting change, expected and true")


def _ratio_chart(outcomes: Sequence[Outcome], skills: Sequence[HorizonSkill], what: str) -> Markup:
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
        axes.axhline(1, color=INK, linewidth=0.8, linestyle="--")
        _years(axes, skills)
        axes.legend(loc="best")

    title = "RMSE over that of nothing changes"
    if what != "pictures":
        title = "CRPS over that of dressed persistence"
    return chart(draw, title=title)


def _years(axes: Axes, skills: Sequence[HorizonSkill]) -> None:
    axes.set_xticks([skill.horizon for skill in skills])
    axes.set_xlabel("years ahead")


def _start(found: Outcome) -> tuple[str, ...]:
    harm = (found.mse / found.mse_still) ** 0.5 if found.mse_still else None
    crps = 1 - found.crps / found.crps_still if found.crps_still else None
    shares = f"{found.expected:.1%}", f"{found.changed:.1%}"
    return (
        found.start,
        f"{found.years:.1f}",
        str(found.dates),
        f"{found.weight:.2g}",
        *(two_digits(value) for value in (found.auc, found.auc_before, found.auc_texture)),
        *shares,
        two_digits(harm),
        two_digits(crps),
    )
