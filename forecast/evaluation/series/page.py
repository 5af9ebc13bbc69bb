"""The scores of whole places as one page, in the order in which they matter."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from forecast.evaluation.bootstrap import LEAST_UNITS, RESAMPLES
from forecast.evaluation.catalogue import SCORES, shown
from forecast.evaluation.charts import rank_chart
from forecast.evaluation.record import bounds
from forecast.evaluation.report_page import settings_table
from forecast.evaluation.results import ALL, Section
from forecast.evaluation.series.charts import place_chart, reliability_chart
from forecast.evaluation.series.examples import PlaceExample, example_strips
from preprocessing.html_page import figure, html_page, table

__all__ = ["PARTS", "Part", "series_page"]


class Part(NamedTuple):
    """A question of the report.

    Attributes:
        title: The question.
        meaning: What its scores say, in a sentence or two.
        scores: Names of its scores.
    """

    title: str
    meaning: str
    scores: tuple[str, ...]


PARTS = (
    Part(
        "Does it do harm?",
        "Errors of the forecast over those of saying that nothing changes. Above 1, looking at the "
        "present picture is the better forecast.",
        ("harm_mean", "harm_representative", "harm_share", "rmse_persistence"),
    ),
    Part(
        "Does it know where the ground changes lastingly?",
        "Ground has changed lastingly if it looks in no later image as in any earlier one. AUC: "
        "chance that a changed cell ranks above an unchanged one, 0.5 is guessing. Brier skill: "
        "above 0 beats knowing the true share, but not the places. Expected over true area: 1 is "
        "as much as there is.",
        (
            "lasting_auc",
            "lasting_brier_skill",
            "lasting_reliability",
            "area_ratio",
            "lasting_share",
            "lasting_merit",
            "lasting_merit_random",
        ),
    ),
    Part(
        "Is what was seen later a likely draw?",
        "The image of the target date, in the colours of the start, against the members. Skill is "
        "over persistence with the noise that suits the very same image best, a high bar. "
        "Spread-skill is 1 and the rank histogram flat where the ensemble is calibrated.",
        ("seen_skill", "seen_crps", "seen_spread_skill", "seen_rank_deviation"),
    ),
    Part(
        "Would a viewer believe the pictures?",
        "Detail: contrast within cells of 4 pixels, 1 keeps that of the present. Flicker: change "
        "that is gone a year later. Colours: share of cells far from every colour of the region, "
        "beside that of the true image.",
        ("detail", "flicker", "novel", "novel_truth"),
    ),
)
_STYLE = """
img.chart{width:100%;height:auto;display:block}
div.one{max-width:640px}figure,div.one,div.two{margin-bottom:14px}
td.n i{font-style:normal;color:var(--soft);font-size:12px;white-space:nowrap}
th.n{white-space:normal;vertical-align:bottom}td.row{white-space:nowrap}.two{margin-bottom:16px}
table.strip td{padding:3px 6px 3px 0;border:0}table.strip th{padding:3px 6px 3px 0;border:0}
table.strip{width:auto}table.strip img{width:196px;display:block;image-rendering:pixelated}
"""
_NOTES = (
    "All on means over cells of 4x4 pixels, after all dates were brought to the colours of the "
    "start by a robust map that changed ground does not pull.",
    "Within a class of horizons every place counts alike, whatever its size and the number of its "
    "starts. Numbers of places of training say what was learnt, those of other places what to "
    "expect elsewhere.",
    f"Square brackets are 95 % intervals of {RESAMPLES} bootstrap resamples of places; fewer than "
    f"{LEAST_UNITS} places give none.",
    "Rules (changed before, texture, ...) rank the cells by a map; their probabilities are "
    "logistic regressions on that map and the horizon, fitted on places of training. Nothing "
    "changes has as probability the share that changed in places of training by then.",
    "Where only one later date is known, what swings with the season counts as change too.",
)


def series_page(
    title: str,
    splits: Sequence[Section],
    places: Sequence[Section],
    examples: Sequence[PlaceExample],
    settings: Mapping[str, Any],
) -> str:
    """Draw the report; the page asks nothing of the network and runs no script.

    Args:
        title: What was scored.
        splits: Places of training and others, all horizons and each class.
        places: Each place.
        examples: To look at.
        settings: Shown at the end.
    """
    names = list(dict.fromkeys(m.method for section in splits for m in section.methods))
    whole = [section for section in splits if section.horizon == ALL]
    figures = (_harm, _lasting, _seen, _no_figure)
    parts = [
        _head(title, whole, names),
        *(
            f"<h2>{number}. {html.escape(part.title)}</h2><p>{html.escape(part.meaning)}</p>"
            + "".join(figure(_methods(section, part)) for section in whole)
            + draw(whole, places, names)
            + _each_place(places, part)
            for number, (part, draw) in enumerate(zip(PARTS, figures, strict=True), start=1)
        ),
        example_strips(examples, names[0]),
        "<h2>How to read this</h2><ul>"
        + "".join(f"<li><p>{html.escape(note)}</p></li>" for note in _NOTES)
        + "</ul>",
        "<h2>Settings</h2>" + figure(settings_table(settings)),
    ]
    return html_page(title, parts, style=_STYLE)


def _head(title: str, whole: Sequence[Section], names: Sequence[str]) -> str:
    boxes = "".join(
        f"<div class=card><b>{section.units}</b><span>{html.escape(section.dataset)}, "
        f"{section.pairs} cases</span></div>"
        for section in whole
    )
    return (
        f"<h1>{html.escape(title)}</h1><p>Methods: {html.escape(', '.join(names))}.</p>"
        f"<div class=cards>{boxes}</div>"
    )


def _methods(section: Section, part: Part) -> str:
    rows = [
        (
            html.escape(method.method),
            *(
                f"{shown(n, method.scores[n].value)}<br><i>{bounds(n, method.scores[n])}</i>"
                for n in part.scores
            ),
        )
        for method in section.methods
        if any(method.scores[n].value == method.scores[n].value for n in part.scores)
    ]
    titles = (f"{section.dataset}, all horizons", *(SCORES[n].title for n in part.scores))
    return table(titles, rows)


def _each_place(places: Sequence[Section], part: Part) -> str:
    """The first method in every place and class of horizons."""
    rows = []
    for section in places:
        if section.horizon == ALL or not section.methods:
            continue
        first = section.methods[0]
        rows.append(
            (
                html.escape(section.dataset),
                section.horizon,
                *(shown(n, first.scores[n].value) for n in part.scores),
            )
        )
    titles = ("place", "years ahead", *(SCORES[n].title for n in part.scores))
    method = html.escape(places[0].methods[0].method)
    return figure(
        f"<details><summary>{method} in every place and horizon</summary>"
        f"{table(titles, rows)}</details>"
    )


def _harm(whole: Sequence[Section], places: Sequence[Section], names: Sequence[str]) -> str:
    title = "RMSE of the mean over that of nothing changes"
    drawn = place_chart(places, names, "harm_mean", title, line=1.0, limits=(0.4, 1.6))
    return f"<div class=one>{figure(drawn)}</div>"


def _lasting(whole: Sequence[Section], places: Sequence[Section], names: Sequence[str]) -> str:
    curves = "".join(figure(reliability_chart(section, names)) for section in whole)
    title = "AUC of lasting change"
    drawn = place_chart(places, names, "lasting_auc", title, line=0.5, limits=(0.2, 1.0))
    return f"<div class=one>{figure(drawn)}</div><div class=two>{curves}</div>"


def _seen(whole: Sequence[Section], places: Sequence[Section], names: Sequence[str]) -> str:
    curves = "".join(figure(rank_chart(section, names), section.dataset) for section in whole)
    return f"<div class=two>{curves}</div>"


def _no_figure(whole: Sequence[Section], places: Sequence[Section], names: Sequence[str]) -> str:
    return ""
