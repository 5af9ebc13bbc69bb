"""Scores of an upscaler as a page with figures, and as a short text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.upscaling.table import Comparison, Section
from preprocessing.quality.scores import Estimate
from preprocessing.report.charts import INK, chart, look, picture
from preprocessing.report.html_page import Cell, html_page
from sr.evaluation.restorers import NETWORK
from sr.evaluation.tile_scores import SCORES

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
_SIDE = 128
_TESTED = ("psnr_db", "ssim", "perceptual", "texture", "spectral_distance_db", *_BY_CHANGE)
_TEMPLATE = Path(__file__).parent / "report.html"
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
            cells = " | ".join(SCORES[n].shown(scores[n].value) for n in _MAIN)
            lines.append(f"| {section.dataset} | {section.tiles} | {method} | {cells} |")
    tested = ("psnr_db", "psnr_changed_db", "psnr_unchanged_db", "perceptual", "texture")
    titles = " | ".join(SCORES[n].title for n in tested)
    lines += ["", f"| dataset | difference | {titles} |", "|---" * (2 + len(tested)) + "|"]
    for section in found:
        for item in section.comparisons:
            cells = " | ".join(
                f"{SCORES[n].shown(item.difference[n].value, sign=True)} "
                f"{SCORES[n].bounds(item.difference[n])} {item.verdict(n)}".rstrip()
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
    notes = _NOTES if settings["perceptual"] != "gabor_distance" else (*_NOTES, _STAND_IN)
    return html_page(
        _TEMPLATE,
        f"{settings['model']} on the split {settings['split']}",
        cards=[
            (
                f"{s.dataset}: tiles, of {s.units} {kinds.get(s.dataset, 'places and blocks')}",
                f"{s.tiles:,}",
            )
            for s in found
        ],
        datasets=[_dataset(section) for section in found],
        white=f"{_WHITE * _LEVELS:.0f}",
        examples=_examples(examples),
        notes=notes,
        settings=settings,
    )


def _dataset(section: Section) -> dict[str, Any]:
    """What the page shows of a dataset."""
    names = list(section.scores)

    def table(columns: Sequence[str]) -> tuple[Sequence[str], list[tuple[str | Cell, ...]]]:
        titles = ("method", *(SCORES[name].title for name in columns))
        return titles, [
            (
                method,
                *(_cell(n, scores[n]) for n in columns),
            )
            for method, scores in section.scores.items()
        ]

    differences = [
        (f"{item.ours} minus {item.against}", *(_difference(item, name) for name in _TESTED))
        for item in section.comparisons
    ]
    return {
        "name": section.dataset,
        "main": table(_MAIN),
        "by_change": table(_BY_CHANGE),
        "differences": (("", *(SCORES[name].title for name in _TESTED)), differences),
        "rest": table(_REST),
        "charts": (_bars_by_method(section, names), _spectra(section, names)),
    }


def _cell(name: str, score: Estimate) -> Cell:
    return Cell(SCORES[name].shown(score.value), SCORES[name].bounds(score))


def _difference(item: Comparison, name: str) -> Cell:
    gap, info = item.difference[name], SCORES[name]
    return Cell(info.shown(gap.value, sign=True), info.bounds(gap), item.verdict(name))


def _spectra(section: Section, names: Sequence[str]) -> Markup:
    """Mean log power of each method relative to the truth, by spatial frequency."""

    def draw(axes: Axes) -> None:
        for name in names:
            colour, mark = look(names, name)
            excess = section.spectra[name]
            x = np.arange(1, len(excess) + 1)
            axes.plot(x, excess, color=colour, marker=mark, markersize=2.5, label=name)
        axes.axhline(0, color=INK, linewidth=0.8, linestyle="--")
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
        axes.set_xlabel("cycles a tile of 128 px")
        axes.set_ylabel("power minus truth, dB")
        axes.legend(loc="lower left")

    return chart(draw, title="Power spectra")


def _bars_by_method(section: Section, names: Sequence[str]) -> Markup:
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

    return chart(draw, title="Whose detail is shown")


def _examples(
    examples: Sequence[UpscalingExample],
) -> tuple[list[str], list[tuple[str, list[Markup]]]] | None:
    """Titles, and a label and the pictures of each example."""
    if not examples:
        return None
    methods = list(examples[0].restored)
    titles = ["truth", *methods, f"detail of the {NETWORK}"]
    titles += [f"{name} of the {NETWORK}" for name in examples[0].maps]
    rows = []
    for example in examples:
        images = [_image(example.truth, "JPEG", "truth")]
        images += [_image(example.restored[name], "JPEG", name) for name in methods]
        images.append(_image(example.correctness, "PNG", "shares"))
        images += [
            _image((found / _WHITE).clamp(0, 1).expand(3, -1, -1), "PNG", name)
            for name, found in example.maps.items()
        ]
        rows.append((example.source, images))
    return titles, rows


def _image(image: Tensor, kind: str, alt: str) -> Markup:
    pixels: NDArray[np.uint8] = (image * 255).round().byte().permute(1, 2, 0).numpy()
    shown_as = Image.fromarray(np.ascontiguousarray(pixels))
    return picture(shown_as, alt, kind=kind, size=(_SIDE, _SIDE))
