"""Scores as one page, a question after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from forecast.evaluation.reports.charts import place_chart, rank_chart, reliability_chart
from forecast.evaluation.reports.examples import PICTURES, PlaceExample, example_strips
from forecast.evaluation.scores.bootstrap import LEAST_UNITS, RESAMPLES
from forecast.evaluation.scores.catalogue import SCORES
from forecast.evaluation.scores.parts import Part
from forecast.evaluation.scores.results import ALL, Section
from preprocessing.quality.scores import Estimate
from preprocessing.report.html_page import Cell, html_page

__all__ = ["PAIR_NOTES", "PLACE_NOTES", "scores_page"]

_TEMPLATE = Path(__file__).parent / "scores.html"
_Table = tuple[tuple[str, ...], list[tuple[str | Cell, ...]]]
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
    whole = _of_all_horizons(groups)
    cut = _of_all_horizons(by_dates)
    return html_page(
        _TEMPLATE,
        title,
        names=names,
        whole=whole,
        parts_of_report=[
            {
                "title": part.title,
                "meaning": part.meaning,
                "tables": [_methods(section, part) for section in whole],
                "wide": _wide_figure(part, places, names),
                "figures": _figures(part, whole, names),
                "places": _each_place(places, part),
            }
            for part in parts
        ],
        first_of_places=places[0].methods[0].method,
        cut=cut,
        by_dates=[(part.title, [_methods(section, part) for section in cut]) for part in parts],
        verdicts=_verdicts(whole),
        pictures=PICTURES,
        examples=example_strips(examples),
        notes=notes,
        settings=settings,
    )


def _of_all_horizons(sections: Sequence[Section]) -> list[Section]:
    return [section for section in sections if section.horizon == ALL]


def _methods(section: Section, part: Part) -> _Table:
    rows: list[tuple[str | Cell, ...]] = [
        (
            method.method,
            *(_cell(n, method.scores[n]) for n in part.scores),
        )
        for method in section.methods
        if any(method.scores[n].value == method.scores[n].value for n in part.scores)
    ]
    return (f"{section.dataset}, all horizons", *(SCORES[n].title for n in part.scores)), rows


def _each_place(places: Sequence[Section], part: Part) -> _Table:
    """The first method in every place and class of horizons."""
    rows: list[tuple[str | Cell, ...]] = [
        (
            section.dataset,
            section.horizon,
            *(SCORES[n].shown(section.methods[0].scores[n].value) for n in part.scores),
        )
        for section in places
        if section.horizon != ALL and section.methods
    ]
    return ("place", "years ahead", *(SCORES[n].title for n in part.scores)), rows


def _wide_figure(part: Part, places: Sequence[Section], names: Sequence[str]) -> Markup | None:
    """Every place, by method."""
    if part.figure == "harm":
        title = "RMSE of the mean over that of nothing changes"
        return place_chart(places, names, "harm_mean", title, line=1.0, limits=(0.4, 1.6))
    if part.figure == "reliability":
        title = "AUC of lasting change"
        return place_chart(places, names, "lasting_auc", title, line=0.5, limits=(0.2, 1.0))
    return None


def _figures(
    part: Part, whole: Sequence[Section], names: Sequence[str]
) -> list[tuple[Markup, str]]:
    """Side by side, with captions."""
    if part.figure == "ranks":
        return [(rank_chart(section, names), section.dataset) for section in whole]
    if part.figure == "reliability":
        return [(reliability_chart(section, names), "") for section in whole]
    return []


def _verdicts(whole: Sequence[Section]) -> list[tuple[str | Cell, ...]]:
    """The CRPS of the first method against that of every other."""
    return [
        (
            section.dataset,
            other.against,
            _cell("crps", gap, sign=True),
            Cell("", verdict=other.verdict("crps")),
        )
        for section in whole
        for other in section.comparisons
        if (gap := other.difference.get("crps")) is not None
    ]


def _cell(name: str, score: Estimate, *, sign: bool = False) -> Cell:
    info = SCORES[name]
    return Cell(info.shown(score.value, sign=sign), info.bounds(score))
