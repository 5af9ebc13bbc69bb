"""Scores of an upscaler as a page with figures, and as a short text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.upscaling.table import Comparison, Section
from forecast.evaluation.reports.charts import chart, look
from forecast.evaluation.scores.bootstrap import Estimate
from preprocessing.report.charts import image_source
from preprocessing.report.html_page import figure, html_page
from sr.evaluation.restorers import NETWORK
from sr.evaluation.tile_scores import SCORES, shown

__all__ = ["UpscalingExample", "as_markdown", "upscaling_page"]

_MAIN = (
    "psnr_db",
    "ssim",
    "perceptual",
    "texture",
    "spectral_distance_db",
    "sharpness",
    "consistency",
    "consistency_worst",
    "improvement",
    "omission",
    "hallucination",
)
_BY_CHANGE = tuple(name for name in SCORES if "changed" in name)
_REST = tuple(name for name in SCORES if name not in _MAIN and name not in _BY_CHANGE)
_WHITE = 32 / 255
_LEVELS = 255
_TESTED = ("psnr_db", "ssim", "perceptual", "texture", "spectral_distance_db", *_BY_CHANGE)
_STYLE = """
img.chart{width:100%;height:auto;display:block}
td.n i{font-style:normal;color:var(--soft);font-size:12px;white-space:nowrap}
b.better{color:#1f7a53;font-weight:600}b.worse{color:#a8323f;font-weight:600}
th.n{white-space:normal;vertical-align:bottom}td.row{white-space:nowrap}
table.strip td,table.strip th{padding:3px 6px 3px 0;border:0}
table.strip{width:auto;image-rendering:pixelated}
table.strip img{width:128px;height:128px;display:block}
"""
_NOTES = (
    "Tiles are restored from their own means over 4x4 pixels. Real low-resolution pictures are "
    "blurred, noisy and of another sensor: scores on them are lower.",
    "The network sees the low-resolution picture of the later date only; persistence is the "
    "earlier picture at full resolution.",
    "Changed: mean absolute difference of the bands above 20 of 255 on the 4x4 means. The classes "
    "are pooled over pixels, all other scores are means over tiles.",
    "Improvement, omission and hallucination add up to 1 (opensr-test, Aybar et al. 2024, pixel "
    "by pixel with the normalised difference): nearer the truth's detail, nearer the blurred "
    "input, near neither. Only pixels with detail count.",
    "Texture distance: of the features that the adversarial networks were trained by; it judges "
    "them kindly.",
    "Consistency: mean absolute difference between the 4x4 means of the result and the input.",
    "Square brackets are 95 % bootstrap intervals over places, or over blocks of ground where a "
    "dataset has few places; the latter say nothing about other places. Nothing is corrected for "
    "the number of scores looked at.",
)
_STAND_IN = (
    "No weights of a perceptual network were given: the perceptual distance is a stand-in of Gabor "
    "filters, not to be compared with VGG16 or LPIPS numbers."
)


@dataclass(frozen=True)
class UpscalingExample:
    """One tile to look at.

    Attributes:
        source: `dataset/place/earlier/later`, with the tile's position.
        truth: `(3, n, n)`, 0..1.
        restored: Like `truth`, by method.
        correctness: `(3, n, n)` of the network: hallucination, improvement and omission as red,
            green and blue; black where there is no detail.
        maps: `(n/4, n/4)` by name: what the network's result adds (`sr.upscale.invention`), and its
            error.
    """

    source: str
    truth: Tensor
    restored: Mapping[str, Tensor]
    correctness: Tensor
    maps: Mapping[str, Tensor]


def as_markdown(found: Sequence[Section], settings: Mapping[str, Any]) -> str:
    """Scores and differences as two tables."""
    share = "" if settings["alpha"] is None else f" with alpha {settings['alpha']:g}"
    lines = [
        f"# Upscaling by four on the split `{settings['split']}`",
        "",
        f"{settings['tiles']} tiles of 128 px, restored from their 4x4 means by "
        f"`{settings['model']}`{share}. Every score, with intervals: `report.html`, `scores.json`; "
        f"every tile: `tiles.csv`. Perceptual distance: {settings['perceptual']}.",
        "",
        f"| dataset | tiles | method | {' | '.join(SCORES[n].title for n in _MAIN)} |",
        "|---" * (3 + len(_MAIN)) + "|",
    ]
    for section in found:
        for method, scores in section.scores.items():
            cells = " | ".join(shown(n, scores[n].value) for n in _MAIN)
            lines.append(f"| {section.dataset} | {section.tiles} | {method} | {cells} |")
    tested = ("psnr_db", "psnr_changed_db", "psnr_unchanged_db", "perceptual", "texture")
    titles = " | ".join(SCORES[n].title for n in tested)
    lines += ["", f"| dataset | difference | {titles} |", "|---" * (2 + len(tested)) + "|"]
    for section in found:
        for item in section.comparisons:
            cells = " | ".join(
                f"{shown(n, item.difference[n].value, sign=True)} "
                f"{_bounds(n, item.difference[n])} {item.verdict(n)}".rstrip()
                for n in tested
            )
            lines.append(f"| {section.dataset} | {item.ours} minus {item.against} | {cells} |")
    return "\n".join(lines) + "\n"


def upscaling_page(
    found: Sequence[Section],
    examples: Sequence[UpscalingExample],
    kinds: Mapping[str, str],
    settings: Mapping[str, Any],
) -> str:
    """Draw the report; the page asks nothing of the network and runs no script.

    Args:
        found: All datasets.
        examples: Tiles to look at.
        kinds: By dataset the kind of unit its bootstrap draws.
        settings: Shown at the end; `perceptual` names the distance.
    """
    title = f"{settings['model']} on the split {settings['split']}"
    notes = _NOTES if settings["perceptual"] != "gabor_distance" else (*_NOTES, _STAND_IN)
    cards = "".join(
        f"<div class=card><b>{s.tiles:,}</b><span>{html.escape(s.dataset)}: tiles, of {s.units} "
        f"{html.escape(kinds.get(s.dataset, 'places and blocks'))}</span></div>"
        for s in found
    )
    rows = (
        f"<tr><td class=row>{html.escape(name)}</td><td class=source>{html.escape(str(value))}"
        "</td></tr>"
        for name, value in settings.items()
    )
    parts = [
        f"<h1>{html.escape(title)}</h1><div class=cards>{cards}</div>",
        *(_dataset(section) for section in found),
        _examples(examples),
        "<h2>How to read this</h2><ul>"
        + "".join(f"<li><p>{html.escape(note)}</p></li>" for note in notes)
        + "</ul>",
        "<h2>Settings</h2>" + figure(f"<table>{''.join(rows)}</table>"),
    ]
    return html_page(title, parts, style=_STYLE)


def _dataset(section: Section) -> str:
    names = list(section.scores)

    def tables(columns: Sequence[str]) -> str:
        rows = (
            (html.escape(method), *(_value(name, scores[name]) for name in columns))
            for method, scores in section.scores.items()
        )
        return figure(_table(("method", *(SCORES[name].title for name in columns)), rows))

    differences = (
        (
            html.escape(f"{item.ours} minus {item.against}"),
            *(_difference(item, name) for name in _TESTED),
        )
        for item in section.comparisons
    )
    return (
        f"<h2>{html.escape(section.dataset)}</h2>"
        + tables(_MAIN)
        + "<details open><summary>Where the ground changed, and where not</summary>"
        + tables(_BY_CHANGE)
        + "</details><details open><summary>Differences</summary>"
        + figure(_table(("", *(SCORES[name].title for name in _TESTED)), differences))
        + "</details><details><summary>Further scores</summary>"
        + tables(_REST)
        + "</details><div class=two>"
        + figure(_bars_by_method(section, names))
        + figure(_spectra(section, names))
        + "</div>"
    )


def _value(name: str, score: Estimate) -> str:
    bounds = _bounds(name, score)
    return shown(name, score.value) + (f"<br><i>{bounds}</i>" if bounds else "")


def _difference(item: Comparison, name: str) -> str:
    gap, verdict = item.difference[name], item.verdict(name)
    word = f"<br><b class={verdict}>{verdict}</b>" if verdict else ""
    return f"{shown(name, gap.value, sign=True)}<br><i>{_bounds(name, gap)}</i>{word}"


def _bounds(name: str, score: Estimate) -> str:
    if score.low != score.low:
        return ""
    return f"[{shown(name, score.low)}, {shown(name, score.high)}]"


def _spectra(section: Section, names: Sequence[str]) -> str:
    """Mean log power of each method relative to the truth, by spatial frequency."""

    def draw(axes: Axes) -> None:
        for name in names:
            colour, mark = look(names, name)
            excess = section.spectra[name]
            x = np.arange(1, len(excess) + 1)
            axes.plot(x, excess, color=colour, marker=mark, markersize=2.5, label=name)
        axes.axhline(0, color="#22272b", linewidth=0.8, linestyle="--")
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
        axes.set_xlabel("cycles a tile of 128 px")
        axes.set_ylabel("power minus truth, dB")
        axes.legend(loc="lower left")

    return chart(draw, "Power spectra")


def _bars_by_method(section: Section, names: Sequence[str]) -> str:
    """Improvement, omission and hallucination of each method, side by side."""

    def draw(axes: Axes) -> None:
        left = np.zeros(len(names))
        shares = (("improvement", "#2f9e6e"), ("omission", "#8a9299"), ("hallucination", "#d6455d"))
        for name, colour in shares:
            width = np.array([section.scores[method][name].value for method in names])
            axes.barh(range(len(names)), width, left=left, color=colour, label=name)
            left = left + width
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the pixels with detail")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.42), ncols=3)

    return chart(draw, "Whose detail is shown")


def _examples(examples: Sequence[UpscalingExample]) -> str:
    if not examples:
        return ""
    methods = list(examples[0].restored)
    titles = ["truth", *methods, f"detail of the {NETWORK}"]
    titles += [f"{name} of the {NETWORK}" for name in examples[0].maps]
    rows = []
    for example in examples:
        maps = [_image(example.correctness, "PNG", "shares")]
        maps += [
            _image((found / _WHITE).clamp(0, 1).expand(3, -1, -1), "PNG", name)
            for name, found in example.maps.items()
        ]
        pictures = [_image(example.truth, "JPEG", "truth")]
        pictures += [_image(example.restored[name], "JPEG", name) for name in methods]
        rows.append(f"<tr><th colspan={len(titles)}>{html.escape(example.source)}</th></tr>")
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in (*pictures, *maps)) + "</tr>")
    head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
    table = f"<div class=scroll><table class=strip><tr>{head}</tr>{''.join(rows)}</table></div>"
    return (
        "<h2>Examples</h2><p>Drawn at random, not by score. Detail: green improvement, blue "
        "omission, red hallucination, black where there is none to judge. Consistency, added "
        f"detail and error: white is {_WHITE * _LEVELS:.0f} grey levels; without the truth only "
        f"the first two are known (<code>landcast upscale --maps</code>).</p>{figure(table)}"
    )


def _image(image: Tensor, kind: str, alt: str) -> str:
    pixels: NDArray[np.uint8] = (image * 255).round().byte().permute(1, 2, 0).numpy()
    source = image_source(Image.fromarray(np.ascontiguousarray(pixels)), kind)
    return f"<img alt='{html.escape(alt)}' src='{source}'>"


def _table(titles: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML cells; all columns but the first are numbers."""
    head = "".join(
        f"<th{' class=n' if i else ''}>{html.escape(t)}</th>" for i, t in enumerate(titles)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td class={'n' if i else 'row'}>{cell}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"
