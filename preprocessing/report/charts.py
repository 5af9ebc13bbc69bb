"""Drawings of the preparation's report: small SVG and PNG pieces, no library, no network."""

from __future__ import annotations

import base64
import html
import io
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from preprocessing.report.counts import PairReport
from preprocessing.tiles.filters import Reason

__all__ = [
    "COLOURS",
    "histogram_panels",
    "image_source",
    "reason_bars",
    "shift_lengths",
    "shift_vectors",
    "tile_map",
]

# Told apart by lightness too, not by hue alone.
COLOURS = {
    Reason.KEPT.value: "#2f9e6e",
    Reason.INVALID.value: "#b6bcc2",
    Reason.BLANK.value: "#7fb2e5",
    Reason.NOISY.value: "#6b4fa0",
    Reason.CHANGED.value: "#d6455d",
    Reason.GUARD.value: "#f0c04a",
}
_OTHER = "#333333"
_CHANNELS = ("#c8373e", "#2f8f4e", "#3668c4")
_BARS = 64


def image_source(image: Image.Image, kind: str) -> str:
    """The image as a `data:` address, which needs no file beside the page.

    Args:
        image: RGB.
        kind: `PNG` for few colours, `JPEG` for photographs.
    """
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 88} if kind == "JPEG" else {"optimize": True}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def reason_bars(counts: dict[str, int]) -> str:
    """Table of the tiles by reason, with a bar each."""
    total = max(sum(counts.values()), 1)
    rows = "".join(
        f"<tr><td><i class=key style='background:{COLOURS.get(reason, _OTHER)}'></i>"
        f"{html.escape(reason)}</td><td class=n>{count:,}</td>"
        f"<td class=n>{100 * count / total:.1f} %</td><td class=wide><div class=bar "
        f"style='width:{100 * count / total:.3f}%;background:{COLOURS.get(reason, _OTHER)}'>"
        "</div></td></tr>"
        for reason, count in counts.items()
    )
    return f"<table class=bars>{rows}</table>"


def shift_vectors(pairs: Sequence[PairReport]) -> str:
    """Plot of the shifts that were removed, seen from the earlier image; y points down."""
    found = [p for p in pairs if math.isfinite(p.shift_px)]
    reach = _round_up(max((p.shift_px for p in found), default=1.0))
    scale = 130 / reach
    rings = "".join(
        f"<circle cx=0 cy=0 r={part * 130:.1f} class=grid /><text x=3 y={-part * 130 - 3:.1f}>"
        f"{part * reach:g} px</text>"
        for part in (0.5, 1)
    )
    lines = len(found) <= 60
    marks = "".join(
        (
            f"<line x1=0 y1=0 x2={p.dx_px * scale:.1f} y2={p.dy_px * scale:.1f} class=ray />"
            if lines
            else ""
        )
        + f"<circle cx={p.dx_px * scale:.1f} cy={p.dy_px * scale:.1f} r=3.5 class=dot>"
        f"<title>{html.escape(p.source)}: {p.dy_px:.2f} down, {p.dx_px:.2f} right</title></circle>"
        for p in found
    )
    return (
        "<svg viewBox='-160 -155 320 310' role=img aria-label='shifts removed'>"
        f"<line x1=-140 x2=140 y1=0 y2=0 class=grid /><line y1=-140 y2=140 x1=0 x2=0 class=grid />"
        f"{rings}{marks}</svg>"
    )


def shift_lengths(pairs: Sequence[PairReport]) -> str:
    """One dot a pair of rasters: length of the shift before, and what is left after."""
    rows = {
        "before": [p.shift_px for p in pairs if math.isfinite(p.shift_px)],
        "after": [p.residual_px for p in pairs if math.isfinite(p.residual_px)],
    }
    reach = _round_up(max([1.0, *rows["before"], *rows["after"]]))
    scale = 300 / reach
    parts = [
        f"<line x1={70 + part * 300:.1f} x2={70 + part * 300:.1f} y1=14 y2=158 class=grid />"
        f"<text x={70 + part * 300:.1f} y=174 text-anchor=middle>{part * reach:g}</text>"
        for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    rng = np.random.default_rng(0)
    for (name, values), y in zip(rows.items(), (50, 122), strict=True):
        parts.append(f"<text x=60 y={y + 4} text-anchor=end>{name}</text>")
        spread = 0 if len(values) < 4 else 20
        for value, jitter in zip(values, rng.uniform(-spread, spread, len(values)), strict=True):
            parts.append(
                f"<circle cx={70 + value * scale:.1f} cy={y + jitter:.1f} r=3 class={name} />"
            )
        if values:
            middle = 70 + float(np.median(values)) * scale
            parts.append(
                f"<line x1={middle:.1f} x2={middle:.1f} y1={y - 28} y2={y + 28} class=median />"
                f"<text x={middle + 5:.1f} y={y - 20}>median {np.median(values):.2g}</text>"
            )
    parts.append("<text x=220 y=192 text-anchor=middle>length in pixels</text>")
    return (
        "<svg viewBox='0 0 400 200' role=img aria-label='shift before and after'>"
        + "".join(parts)
        + "</svg>"
    )


def histogram_panels(histograms: dict[str, Any]) -> str:
    """Distributions of the channels: the past, and the future before and after matching.

    Args:
        histograms: As in `PairReport.histograms`.
    """
    rows = {name: [_density(row) for row in histograms[name]] for name in _LINES}
    panels = []
    for channel in range(len(rows["past"])):
        colour = _CHANNELS[channel] if len(rows["past"]) == 3 else _OTHER
        top = max(float(np.quantile(rows[name][channel], 0.99)) for name in _LINES) * 1.15 or 1.0
        lines = "".join(
            f"<polyline points='{_points(rows[name][channel], top)}' class={style} "
            f"style='stroke:{'#222' if name == 'past' else colour}'/>"
            for name, style in _LINES.items()
        )
        panels.append(
            "<svg viewBox='0 0 260 120' class=panel role=img aria-label=histogram>"
            f"<line x1=2 x2=258 y1=118 y2=118 class=grid />{lines}</svg>"
        )
    return f"<div class=panels>{''.join(panels)}</div>"


_LINES = {"past": "past", "before": "old", "after": "new"}


def tile_map(tiles: Sequence[tuple[int, int, str]], *, most_px: int = 420) -> str:
    """A small map, one cell a tile, in the colours of the reasons.

    Args:
        tiles: As in `PairReport.tiles`.
        most_px: Longer side on the page.
    """
    rows = {row: i for i, row in enumerate(sorted({row for row, _, _ in tiles}))}
    cols = {col: i for i, col in enumerate(sorted({col for _, col, _ in tiles}))}
    cells = np.full((len(rows), len(cols), 3), 255, np.uint8)
    for row, col, reason in tiles:
        cells[rows[row], cols[col]] = _rgb(COLOURS.get(reason, _OTHER))
    cell = min(28.0, most_px / max(cells.shape[:2]))
    width, height = (round(max(n * cell, 1)) for n in (len(cols), len(rows)))
    counts = Counter(reason for _, _, reason in tiles)
    text = html.escape(", ".join(f"{reason} {n}" for reason, n in counts.most_common()), quote=True)
    return (
        f"<img class=map width={width} height={height} alt='{text}' title='{text}' "
        f"src='{image_source(Image.fromarray(cells), 'PNG')}'>"
    )


def _density(row: Sequence[float]) -> NDArray[np.float64]:
    """Density of the values over 0..1, in at most 64 bars."""
    counts = np.asarray(row, np.float64)
    edges = np.linspace(0, len(counts), min(len(counts), _BARS) + 1).astype(int)
    width = np.diff(edges) / len(counts)
    return np.asarray(np.add.reduceat(counts, edges[:-1]) / width / max(counts.sum(), 1))


def _points(density: NDArray[np.float64], top: float) -> str:
    x = 2 + 256 * (np.arange(len(density)) + 0.5) / len(density)
    y = 118 - 112 * np.minimum(density / top, 1.04)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10 ... times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
