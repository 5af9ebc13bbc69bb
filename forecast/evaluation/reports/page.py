"""Scores as one page, a question after the other."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from forecast.evaluation.reports.charts import place_chart, rank_chart, reliability_chart
from forecast.evaluation.reports.examples import PlaceExample, example_strips
from forecast.evaluation.reports.record import bounds
from forecast.evaluation.scores.bootstrap import LEAST_UNITS, RESAMPLES
from forecast.evaluation.scores.catalogue import SCORES, shown
from forecast.evaluation.scores.parts import Part
from forecast.evaluation.scores.results import ALL, Section
from preprocessing.report.html_page import figure, html_page, table

__all__ = ["PAIR_NOTES", "PLACE_NOTES", "scores_page"]

_STYLE = """
img.chart{width:100%;height:auto;display:block}
div.one{max-width:640px}figure,div.one,div.two{margin-bottom:14px}
td.n i{font-style:normal;color:var(--soft);font-size:12px;white-space:nowrap}
th.n{white-space:normal;vertical-align:bottom}td.row{white-space:nowrap}.two{margin-bottom:16px}
table.strip td{padding:3px 6px 3px 0;border:0}table.strip th{padding:3px 6px 3px 0;border:0}
b.better{color:#1f7a53;font-weight:600}b.worse{color:#a8323f;font-weight:600}
table.strip{width:auto}table.strip img{width:196px;display:block;image-rendering:pixelated}
"""
PLACE_NOTES = (
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
PAIR_NOTES = (
    "Errors are in grey levels of 255, on means over cells of 4x4 pixels. All scores are of "
    "forecasts from one picture straight to the date of the other.",
    f"Square brackets are 95 % intervals of {RESAMPLES} bootstrap resamples of whole places or "
    "blocks, drawn within each dataset. Blocks lie on the same ground: their intervals say nothing "
    f"about other places. Fewer than {LEAST_UNITS} of a dataset give no interval.",
    "Better and worse stand only where the interval of the paired difference excludes zero. Of "
    "many differences about one in twenty without a cause will do so.",
    "Persistence is one member: its CRPS is its absolute error, and it has no rank histogram.",
)


def scores_page(
    title: str,
    parts: Sequence[Part],
    groups: Sequence[Section],
    places: Sequence[Section],
    examples: Sequence[PlaceExample],
    *,
    notes: Sequence[str],
    settings: Mapping[str, Any],
    by_dates: Sequence[Section] = (),
) -> str:
    """Draw the report; the page asks nothing of the network and runs no script.

    Args:
        title: What was scored.
        parts: The questions.
        groups: Splits or datasets, all horizons and each class.
        places: Each place, or the datasets again.
        examples: To look at.
        notes: How to read it.
        settings: Shown at the end.
        by_dates: The first method with its history cut, on cases that have it all.

    Returns:
        An HTML document.
    """
    names = list(dict.fromkeys(m.method for section in groups for m in section.methods))
    whole = [section for section in groups if section.horizon == ALL]
    body = [
        _head(title, whole, names),
        *(
            f"<h2>{number}. {html.escape(part.title)}</h2><p>{html.escape(part.meaning)}</p>"
            + "".join(figure(_methods(section, part)) for section in whole)
            + _figures(part, whole, places, names)
            + _each_place(places, part)
            for number, part in enumerate(parts, start=1)
        ),
        _by_dates(by_dates, parts),
        _verdicts(whole, names[0]),
        example_strips(examples, names[0]),
        "<h2>How to read this</h2><ul>"
        + "".join(f"<li><p>{html.escape(note)}</p></li>" for note in notes)
        + "</ul>",
        "<h2>Settings</h2>" + figure(_settings(settings)),
    ]
    return html_page(title, body, style=_STYLE)


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


def _by_dates(sections: Sequence[Section], parts: Sequence[Part]) -> str:
    """Every score of the forecaster with fewer dates."""
    whole = [section for section in sections if section.horizon == ALL]
    if not whole:
        return ""
    counts = "; ".join(f"{s.dataset}: {s.pairs} cases of {s.units} places" for s in whole)
    tables = "".join(
        f"<h3>{html.escape(part.title)}</h3>"
        + "".join(figure(_methods(section, part)) for section in whole)
        for part in parts
    )
    return (
        "<h2>What is history worth?</h2><p>The forecaster with the nearest dates up to the start "
        "only, the start among them; with all of them; and with all of them but not calibrated on "
        f"the place's own past. On the cases that have as many dates ({html.escape(counts)}).</p>"
        f"{tables}"
    )


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


def _figures(
    part: Part, whole: Sequence[Section], places: Sequence[Section], names: Sequence[str]
) -> str:
    if part.figure is None:
        return ""
    if part.figure == "ranks":
        drawn = "".join(figure(rank_chart(s, names), s.dataset) for s in whole)
        return f"<div class=two>{drawn}</div>"
    if part.figure == "harm":
        title = "RMSE of the mean over that of nothing changes"
        drawn = place_chart(places, names, "harm_mean", title, line=1.0, limits=(0.4, 1.6))
        return f"<div class=one>{figure(drawn)}</div>"
    curves = "".join(figure(reliability_chart(section, names)) for section in whole)
    title = "AUC of lasting change"
    drawn = place_chart(places, names, "lasting_auc", title, line=0.5, limits=(0.2, 1.0))
    return f"<div class=one>{figure(drawn)}</div><div class=two>{curves}</div>"


def _verdicts(whole: Sequence[Section], first: str) -> str:
    """The CRPS of the first method against that of every other."""
    rows = []
    for section in whole:
        for other in section.comparisons:
            gap = other.difference.get("crps")
            if gap is not None:
                word = other.verdict("crps")
                told = f"<b class={word}>{word}</b>" if word else ""
                value = f"{shown('crps', gap.value, sign=True)}<br><i>{bounds('crps', gap)}</i>"
                rows.append((html.escape(section.dataset), html.escape(other.against), value, told))
    if not rows:
        return ""
    titles = ("", "against", "CRPS difference", "verdict")
    return f"<h2>{html.escape(first)} against the others</h2>{figure(table(titles, rows))}"


def _settings(settings: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td class=row>{html.escape(name)}</td><td class=source>{html.escape(_text(value))}"
        "</td></tr>"
        for name, value in settings.items()
    )
    return f"<table>{rows}</table>"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return "none" if value is None else str(value)
