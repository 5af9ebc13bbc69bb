"""Figures of a comparison: curves against JPEG quality, and crops of every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from app.comparison.images import Image
from app.comparison.request import SCALE
from app.comparison.scores import METRICS
from app.comparison.summary import ALL, Scores, Summary
from sr.enhance.values import stored_as

__all__ = ["CROP_PX", "Example", "crops_sheet", "curves_figure", "liveliest"]

CROP_PX = 96
_COLUMNS = 6
_SHOWN_PX, _CAPTION_PX, _GAP_PX, _FONT_PX = 2 * CROP_PX, 24, 8, 13
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dfe3e6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class Example:
    """Crops of one image at one level.

    Attributes:
        image: Name of the image.
        level: Name of the level.
        original: `(CROP_PX, CROP_PX, 3)`, 0..1.
        degraded: A quarter of that side.
        restored: By method, like the original.
    """

    image: str
    level: str
    original: Image
    degraded: Image
    restored: Mapping[str, Image]


def curves_figure(scores: Scores, summaries: Sequence[Summary]) -> Figure:
    """Three metrics by level, methods that keep the tones; bars are 95 % intervals."""
    names = [method.name for method in scores.methods if not method.retones]
    levels = list(dict.fromkeys(s.level for s in summaries if s.level != ALL))
    by_key = {(s.method, s.level): s for s in summaries}
    colours = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(12, 4.4), layout="constrained")
        shown = {name: info for name, info in METRICS.items() if name != "mse"}
        panels = figure.subplots(1, len(shown))
        for axes, (key, info) in zip(panels, shown.items(), strict=True):
            for number, name in enumerate(names):
                found = [by_key[name, level].scores[key] for level in levels]
                # Side by side, so that intervals of like methods can be told apart.
                x = np.arange(len(levels)) + 0.4 * (number / max(len(names) - 1, 1) - 0.5)
                colour = colours[2 * number % 20 + 2 * number // 20 % 2]
                mark = _MARKS[number % len(_MARKS)]
                y = [estimate.value for estimate in found]
                axes.plot(x, y, color=colour, marker=mark, markersize=4, linewidth=1, label=name)
                axes.vlines(
                    x, [e.low for e in found], [e.high for e in found], color=colour, linewidth=1
                )
            axes.set_xticks(range(len(levels)), [level.removeprefix("JPEG ") for level in levels])
            axes.set_xlabel("JPEG quality")
            axes.set_title(f"{info.title} ({info.better} is better)", loc="left", fontsize=10)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def crops_sheet(examples: Sequence[Example]) -> Picture.Image:
    """The same crop of one image, doubled: original, degraded, every method, a block a level."""
    count = 2 + len(examples[0].restored)
    columns = min(_COLUMNS, count)
    step_y, step_x = _SHOWN_PX + _CAPTION_PX, _SHOWN_PX + _GAP_PX
    block_px = _CAPTION_PX + -(-count // columns) * step_y
    size = (columns * step_x + _GAP_PX, len(examples) * block_px + _GAP_PX)
    sheet = Picture.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_PX)
    for number, example in enumerate(examples):
        top = number * block_px
        draw.text((_GAP_PX, top + 4), f"{example.image}, {example.level}", "black", font)
        pictures = {"original": example.original, "degraded": example.degraded, **example.restored}
        for place, (name, picture) in enumerate(pictures.items()):
            y = top + _CAPTION_PX + place // columns * step_y
            x = _GAP_PX + place % columns * step_x
            draw.text((x, y + 4), name, "#68727a", font)
            pixels = Picture.fromarray(stored_as(picture, np.dtype(np.uint8)))
            shape = (2 * example.original.shape[1], 2 * example.original.shape[0])
            sheet.paste(pixels.resize(shape, Picture.Resampling.NEAREST), (x, y + _CAPTION_PX))
    return sheet


def liveliest(image: Image) -> tuple[int, int]:
    """Row and column of the crop with the strongest gradients, multiples of 4."""
    light = image.mean(axis=2)
    energy = np.hypot(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    side_y, side_x = (min(CROP_PX, side) for side in light.shape)
    sums = cv2.boxFilter(energy, -1, (side_x, side_y), anchor=(0, 0), normalize=False)
    sums = sums[: light.shape[0] - side_y + 1 : SCALE, : light.shape[1] - side_x + 1 : SCALE]
    row, col = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(row) * SCALE, int(col) * SCALE
