"""The scores as one HTML page: verdicts, figures, tables, examples."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forecast.evaluation.bootstrap import LEAST_UNITS, RESAMPLES
from forecast.evaluation.catalogue import SCORES, shown
from forecast.evaluation.charts import (
    aggregation_chart,
    rank_chart,
    skill_chart,
    spectrum_chart,
)
from forecast.evaluation.examples import Example
from forecast.evaluation.record import bounds
from forecast.evaluation.results import ALL, Comparison, Section
from preprocessing.html_page import figure, html_page
from preprocessing.html_page import table as _table
from preprocessing.report_charts import image_source

__all__ = ["evaluation_page", "settings_table"]

_KEY_SCORES = ("rmse", "rmse_fair", "crps", "energy", "rank_deviation", "ssim")
_PERCEPTUAL = ("vgg16_distance", "gabor_distance")
_SPREAD_TOP = 0.2
_STYLE = """
img.chart{width:100%;height:auto;display:block}
td.n i{font-style:normal;color:var(--soft);font-size:12px;white-space:nowrap}
b.better{color:#1f7a53;font-weight:600}b.worse{color:#a8323f;font-weight:600}
th.n{white-space:normal;vertical-align:bottom}td.row{white-space:nowrap}.two{margin-bottom:16px}
table.strip td{padding:3px 6px 3px 0;border:0}table.strip th{padding:3px 6px 3px 0;border:0}
table.strip{width:auto}table.strip img{width:104px;height:104px;display:block;
image-rendering:pixelated}
"""
_NOTES = (
    "Errors are in grey levels of 255, on means over 4x4 image pixels. All scores are of single "
    "steps straight to the horizon of each pair.",
    f"Square brackets are 95 % intervals of {RESAMPLES} bootstrap resamples of whole places or "
    "blocks, drawn within each dataset. Blocks lie on the same ground: their intervals say nothing "
    f"about other places. Fewer than {LEAST_UNITS} of a dataset give no interval.",
    "Better and worse stand only where the interval of the paired difference excludes zero. Many "
    "differences are tested here; about one in twenty of those without a cause will do so.",
    "A split by what the truth did (changed, unchanged) favours those who always cry change, or "
    "never (Lerch et al. 2017): read the two together, and judge by the score over all pixels.",
    "Persistence, the linear trend and deterministic models are one member: their CRPS is their "
    "absolute error, and they have no rank histogram or spread.",
)


def evaluation_page(
    title: str,
    sections: Sequence[Section],
    examples: Sequence[Example],
    *,
    kinds: Mapping[str, str],
    settings: Mapping[str, Any],
) -> str:
    """Draw the report; the page asks nothing of the network and runs no script.

    Args:
        title: What was scored.
        sections: All datasets and horizons.
        examples: Pairs to look at.
        kinds: By dataset the kind of unit its bootstrap draws.
        settings: Shown at the end.

    Returns:
        An HTML document.
    """
    names = list(dict.fromkeys(m.method for section in sections for m in section.methods))
    datasets = list(dict.fromkeys(section.dataset for section in sections))
    by_dataset = {d: [s for s in sections if s.dataset == d] for d in datasets}
    parts = [
        _head(title, sections, names, kinds),
        _verdicts(sections),
        *(_dataset(name, part, names, kinds) for name, part in by_dataset.items()),
        _examples(examples, names[0]),
        "<h2>How to read this</h2><ul>"
        + "".join(f"<li><p>{html.escape(note)}</p></li>" for note in _notes(sections))
        + "</ul>",
        "<h2>Settings</h2>" + figure(settings_table(settings)),
    ]
    return html_page(title, parts, style=_STYLE)


def _head(
    title: str, sections: Sequence[Section], names: Sequence[str], kinds: Mapping[str, str]
) -> str:
    whole = {section.dataset: section for section in sections if section.horizon == ALL}
    cards = {
        f"{name}: pairs, of {whole[name].units} {kind}": f"{whole[name].pairs:,}"
        for name, kind in kinds.items()
    }
    boxes = "".join(
        f"<div class=card><b>{value}</b><span>{html.escape(name)}</span></div>"
        for name, value in cards.items()
    )
    return (
        f"<h1>{html.escape(title)}</h1><p>Methods: {html.escape(', '.join(names))}.</p>"
        f"<div class=cards>{boxes}</div>"
    )


def _verdicts(sections: Sequence[Section]) -> str:
    whole = [section for section in sections if section.horizon == ALL]
    first = whole[0].methods[0].method
    scores = [*_KEY_SCORES, *(n for n in _PERCEPTUAL if n in whole[0].methods[0].scores)]
    rows = [
        row
        for section in whole
        for row in (
            (f"<b>{html.escape(section.dataset)}</b>", "", *("" for _ in scores)),
            *(
                (html.escape(c.against), str(c.pairs), *(_difference(c, name) for name in scores))
                for c in section.comparisons
            ),
        )
    ]
    titles = ("against", "pairs", *(_title(name) for name in scores))
    return (
        f"<h2>{html.escape(first)} against the others</h2><p>Difference {html.escape(first)} minus "
        "the other on the pairs both forecast, all horizons. Lower is better, but for SSIM.</p>"
        + figure(_table(titles, rows))
    )


def _difference(comparison: Comparison, name: str) -> str:
    if name not in comparison.difference:
        return "-"
    gap, verdict = comparison.difference[name], comparison.verdict(name)
    word = f"<br><b class={verdict}>{verdict}</b>" if verdict else ""
    return f"{shown(name, gap.value, sign=True)}<br><i>{bounds(name, gap)}</i>{word}"


def _dataset(
    name: str, sections: Sequence[Section], names: Sequence[str], kinds: Mapping[str, str]
) -> str:
    whole = next(section for section in sections if section.horizon == ALL)
    charts = [chart(whole, names) for chart in (rank_chart, spectrum_chart, aggregation_chart)]
    kind = kinds.get(name, "places and blocks")
    tables = "".join(
        f"<details{' open' if s.horizon == ALL else ''}><summary>"
        f"{'All horizons' if s.horizon == ALL else f'Horizon {html.escape(s.horizon)} years'}: "
        f"{s.pairs} pairs of {s.units} {kind}</summary>{_scores(s)}</details>"
        for s in sections
    )
    figures = "".join(figure(chart) for chart in (skill_chart(sections, names), *charts))
    return f"<h2>{html.escape(name)}</h2><div class=two>{figures}</div>{figure(tables)}"


def _scores(section: Section) -> str:
    known = [n for n in SCORES if any(n in m.scores for m in section.methods)]
    rows = []
    for name in known:
        cells = [
            f"{shown(name, m.scores[name].value)}<br><i>{bounds(name, m.scores[name])}</i>"
            for m in section.methods
        ]
        rows.append((_title(name), *cells))
    titles = ["score"]
    for method in section.methods:
        part = "" if method.pairs == section.pairs else f" ({method.pairs} pairs)"
        titles.append(method.method + part)
    return _table(titles, rows)


def _examples(examples: Sequence[Example], method: str) -> str:
    if not examples:
        return ""
    most = max(len(example.members) for example in examples)
    titles = ("past", "truth", *(f"member {i + 1}" for i in range(most)))
    titles = (*titles, "mean", "spread")
    rows = []
    for example in examples:
        members = [_image(x, "member") for x in example.members]
        members += [""] * (most - len(members))
        pictures = [
            _image(example.past, "past", "JPEG"),
            _image(example.truth, "truth", "JPEG"),
            *members,
            _image(example.mean, "mean"),
            _image(_coloured(example.spread / _SPREAD_TOP, "magma"), "spread"),
        ]
        label = html.escape(f"{example.source}: {example.years:.1f} years")
        rows.append(f"<tr><th colspan={len(titles)}>{label}</th></tr>")
        rows.append("<tr>" + "".join(f"<td>{picture}</td>" for picture in pictures) + "</tr>")
    head = "".join(f"<th>{title}</th>" for title in titles)
    table = f"<div class=scroll><table class=strip><tr>{head}</tr>{''.join(rows)}</table></div>"
    return (
        f"<h2>Examples</h2><p>Pairs drawn at random, not by score; members of "
        f"{html.escape(method)} in the order they were drawn, at a quarter of the resolution. "
        f"Spread: black 0 to yellow {round(255 * _SPREAD_TOP)} grey levels.</p>{figure(table)}"
    )


def _notes(sections: Sequence[Section]) -> list[str]:
    notes = list(_NOTES)
    if "gabor_distance" in sections[0].methods[0].scores:
        notes.append(
            "No weights of a perceptual network were given: the perceptual distance is a stand-in "
            "of Gabor filters, not to be compared with VGG16 or LPIPS numbers."
        )
    methods = {m.method for section in sections for m in section.methods}
    if "linear trend" in methods:
        notes.append(
            "The linear trend repeats the change between an earlier date and the past. It is "
            "scored, and compared, on those pairs only whose ground has an earlier date in the "
            "stores."
        )
    else:
        notes.append(
            "No linear trend: no pair's ground has an earlier date in the stores, aligned with it."
        )
    return notes


def _title(name: str) -> str:
    info = SCORES[name]
    return html.escape(f"{info.title}, {info.unit}" if info.unit in ("dB", "px") else info.title)


def settings_table(settings: Mapping[str, Any]) -> str:
    """How the scores were made, as a table."""
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


def _coloured(values: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """Values of 0..1 in a colour scale: `(h, w)` to `(h, w, 3)`."""
    return np.asarray(matplotlib.colormaps[name](values.clip(0, 1), bytes=True)[..., :3])


def _image(pixels: NDArray[np.uint8], alt: str, kind: str = "PNG") -> str:
    source = image_source(Image.fromarray(np.ascontiguousarray(pixels)), kind)
    return f"<img alt='{alt}' src='{source}'>"
