"""Drawings of the preparation's report: shifts, histograms, a map of the tiles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image, ImageColor

from preprocessing.report.charts import INK, chart, picture
from preprocessing.report.counts import PairReport
from preprocessing.tiles.filters import Reason

__all__ = [
    "REASON_COLOURS",
    "densities",
    "draw_shift_lengths",
    "histograms_chart",
    "shift_lengths_chart",
    "shifts_chart",
    "tile_map",
]

# Told apart by lightness too, not by hue alone.
REASON_COLOURS = {
    Reason.KEPT.value: "#2f9e6e",
    Reason.INVALID.value: "#b6bcc2",
    Reason.BLANK.value: "#7fb2e5",
    Reason.NOISY.value: "#6b4fa0",
    Reason.CHANGED.value: "#d6455d",
    Reason.GUARD.value: "#f0c04a",
}
_OTHER = "#333333"
_CHANNELS = ("#c8373e", "#2f8f4e", "#3668c4")
_LINES = {"past": "-", "before": ":", "after": "-"}
_BARS = 64
_MOST_RAYS = 60


def shifts_chart(pairs: Sequence[PairReport]) -> Markup:
    """The shifts that were removed, seen from the earlier image; down is down."""
    found = [p for p in pairs if math.isfinite(p.shift_px)]

    def draw(axes: Axes) -> None:
        right, down = [p.dx_px for p in found], [p.dy_px for p in found]
        if len(found) <= _MOST_RAYS:
            for x, y in zip(right, down, strict=True):
                axes.plot([0, x], [0, y], color="#3668c4", alpha=0.35, linewidth=0.8)
        axes.plot(right, down, "o", color="#3668c4", alpha=0.75, markersize=4)
        reach = 1.15 * max([1e-3, *map(abs, right), *map(abs, down)])
        axes.set_xlim(-reach, reach)
        axes.set_ylim(reach, -reach)
        axes.set_aspect("equal")
        axes.set_xlabel("pixels to the right")
        axes.set_ylabel("pixels down")

    return chart(draw, title="Shifts removed")


def shift_lengths_chart(pairs: Sequence[PairReport]) -> Markup:
    """One dot a pair of rasters: length of the shift before, and what is left after."""
    return chart(lambda axes: draw_shift_lengths(axes, pairs), title="Before and after")


def draw_shift_lengths(axes: Axes, pairs: Sequence[PairReport]) -> None:
    """What `shift_lengths_chart` shows."""
    rows = {
        "before": ("#d6455d", [p.shift_px for p in pairs if math.isfinite(p.shift_px)]),
        "after": ("#2f9e6e", [p.residual_px for p in pairs if math.isfinite(p.residual_px)]),
    }
    rng = np.random.default_rng(0)
    for height, (name, (colour, values)) in enumerate(reversed(rows.items())):
        spread = 0 if len(values) < 4 else 0.25
        at = height + rng.uniform(-spread, spread, len(values))
        axes.plot(values, at, "o", color=colour, alpha=0.6, markersize=4, label=name)
        if values:
            middle = float(np.median(values))
            axes.plot([middle, middle], [height - 0.35, height + 0.35], color=INK)
            axes.annotate(f"median {middle:.2g}", (middle, height + 0.38))
    axes.set_yticks(range(len(rows)), list(reversed(rows)))
    axes.set_ylim(-0.6, len(rows) - 0.2)
    axes.set_xlim(left=0)
    axes.set_xlabel("length in pixels")


def histograms_chart(histograms: dict[str, Any]) -> Markup:
    """Distributions of the channels: the past, and the future before and after matching.

    Args:
        histograms: As in `PairReport.histograms`.
    """
    rows = {name: densities(histograms[name]) for name in _LINES}
    count = len(rows["past"])

    def panel(channel: int) -> Any:
        colour = _CHANNELS[channel] if count == len(_CHANNELS) else _OTHER

        def draw(axes: Axes) -> None:
            for name, style in _LINES.items():
                values = rows[name][channel]
                x = (np.arange(len(values)) + 0.5) / len(values)
                axes.plot(x, values, style, color=INK if name == "past" else colour, linewidth=1)
            top = max(float(np.quantile(rows[name][channel], 0.99)) for name in _LINES)
            axes.set_ylim(0, 1.15 * top or 1.0)
            axes.set_yticks([])

        return draw

    return chart(*map(panel, range(count)), title="Distribution of values", size=(2.4 * count, 1.5))


def densities(histograms: Sequence[Sequence[float]]) -> list[NDArray[np.float64]]:
    """Densities of the values of each channel over 0..1, in at most 64 bars."""
    found = []
    for row in histograms:
        counts = np.asarray(row, np.float64)
        edges = np.linspace(0, len(counts), min(len(counts), _BARS) + 1).astype(int)
        width = np.diff(edges) / len(counts)
        found.append(np.add.reduceat(counts, edges[:-1]) / width / max(counts.sum(), 1))
    return found


def tile_map(tiles: Sequence[tuple[int, int, str]], *, most_px: int = 420) -> Markup:
    """A small map, one cell a tile, in the colours of the reasons.

    Args:
        tiles: As in `PairReport.tiles`.
        most_px: Longer side on the page.
    """
    rows = {row: i for i, row in enumerate(sorted({row for row, _, _ in tiles}))}
    cols = {col: i for i, col in enumerate(sorted({col for _, col, _ in tiles}))}
    cells = np.full((len(rows), len(cols), 3), 255, np.uint8)
    for row, col, reason in tiles:
        cells[rows[row], cols[col]] = ImageColor.getrgb(REASON_COLOURS.get(reason, _OTHER))
    cell = min(28.0, most_px / max(cells.shape[:2]))
    width, height = (round(max(n * cell, 1)) for n in (len(cols), len(rows)))
    counts = Counter(reason for _, _, reason in tiles)
    text = ", ".join(f"{reason} {n}" for reason, n in counts.most_common())
    return picture(Image.fromarray(cells), text, css="map", size=(width, height))
