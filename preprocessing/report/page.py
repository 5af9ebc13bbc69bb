"""The preparation's report as one HTML page that needs nothing beside it."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from preprocessing.report.charts import (
    COLOURS,
    histogram_panels,
    image_source,
    reason_bars,
    shift_lengths,
    shift_vectors,
    tile_map,
)
from preprocessing.report.counts import PairReport, PrepareReport
from preprocessing.report.html_page import figure, html_page

__all__ = ["report_page"]

_MOST_MAPS = 60
_MOST_HISTOGRAMS = 24
_OPEN_ROWS = 30  # Longer tables are folded.


def report_page(report: PrepareReport, sheet: Image.Image) -> str:
    """Draw the report; the page asks nothing of the network and runs no script.

    Args:
        report: What became of the rasters.
        sheet: The contact sheet, RGB.

    Returns:
        An HTML document.
    """
    done = [pair for pair in report.pairs if not pair.refused]
    parts = [
        _head(report, done),
        "<h2>Tiles by reason</h2>" + figure(reason_bars(report.counts)),
        _shifts(done),
        _histograms(done),
        "<h2>Examples</h2><p>Tiles that were kept and that were dropped, drawn at random.</p>"
        + figure(f"<img class=sheet alt='contact sheet' src='{image_source(sheet, 'JPEG')}'>", ""),
        _maps(done),
        _pairs(done),
        _refusals(report.refused),
        _settings(report.config),
    ]
    return html_page(f"{report.store}: preparation report", parts)


def _head(report: PrepareReport, done: Sequence[PairReport]) -> str:
    share = 100 * report.kept / max(report.tiles, 1)
    cards = {
        "tile pairs kept": f"{report.kept:,}",
        f"of {report.tiles:,} judged": f"{share:.1f} %",
        "pairs of rasters": f"{len(done):,}",
        "refused": f"{len(report.refused):,}",
        "seconds": f"{report.seconds:,.1f}",
        **{f"in {name}": f"{count:,}" for name, count in report.splits.items()},
    }
    boxes = "".join(
        f"<div class=card><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>"
        for name, value in cards.items()
    )
    name = html.escape(report.store)
    return f"<h1>{name}</h1><p>What preparation kept and dropped.</p><div class=cards>{boxes}</div>"


def _shifts(done: Sequence[PairReport]) -> str:
    if not any(math.isfinite(pair.shift_px) for pair in done):
        return ""
    unmeasured = sum(1 for pair in done if math.isnan(pair.residual_px))
    note = f" {unmeasured} left as they lie: no shift stands out." if unmeasured else ""
    return (
        "<h2>Co-registration</h2><p>How far the later image lay from the earlier one, in pixels of "
        f"the common grid, and what is left after the shift was removed.{note}</p><div class=two>"
        + figure(shift_vectors(done), "Shifts removed, right and down.")
        + figure(shift_lengths(done), "Length of the shift before and after, a dot a pair.")
        + "</div>"
    )


def _histograms(done: Sequence[PairReport]) -> str:
    known = [(pair, pair.histograms) for pair in done if pair.histograms]
    if not known:
        return ""
    total = _sum([found for _, found in known])
    parts = [
        "<h2>Colours</h2><p>Distribution of the values of red, green and blue. Black: the earlier "
        "image. Dashed: the later one as it came. Solid: the later one matched.</p>"
    ]
    if total is not None:
        caption = f"All {len(known)} pairs." if len(known) > 1 else _matching(known[0][0])
        parts.append(figure(histogram_panels(total), caption))
    if len(known) > 1 or total is None:
        singles = "".join(
            figure(histogram_panels(found), f"{pair.source}, {_matching(pair)}")
            for pair, found in known[:_MOST_HISTOGRAMS]
        )
        shown = min(len(known), _MOST_HISTOGRAMS)
        parts.append(f"<details><summary>Pair by pair ({shown})</summary>{singles}</details>")
    return "".join(parts)


def _matching(pair: PairReport) -> str:
    method = f"{pair.method}: " if pair.method else ""
    return f"{method}distance {_number(pair.histogram_before)} → {_number(pair.histogram_after)}"


def _sum(found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Added up where all have as many channels and levels."""
    stacks = [np.array([one[name] for name in ("past", "before", "after")]) for one in found]
    if len({stack.shape for stack in stacks}) > 1:
        return None
    return dict(zip(("past", "before", "after"), np.sum(stacks, axis=0), strict=True))


def _maps(done: Sequence[PairReport]) -> str:
    known = [pair for pair in done if pair.tiles]
    if not known:
        return ""
    keys = "".join(
        f"<span><i class=key style='background:{colour}'></i>{html.escape(reason)}</span>"
        for reason, colour in COLOURS.items()
    )
    most_px = 420 if len(known) <= 4 else 160
    figures = "".join(
        figure(
            tile_map(pair.tiles, most_px=most_px),
            f"{pair.source}{_centre(pair)}: {pair.counts.get('kept', 0)} of {len(pair.tiles)} kept",
        )
        for pair in known[:_MOST_MAPS]
    )
    more = len(known) - _MOST_MAPS
    note = f" The first {_MOST_MAPS}; {more} more are in tiles.csv.gz." if more > 0 else ""
    return (
        "<h2>Map of the tiles</h2><p>A cell a tile, first row on top, on the common grid of each "
        f"pair of rasters.{note}</p><p class=keys>{keys}</p><div class=maps>{figures}</div>"
    )


def _centre(pair: PairReport) -> str:
    if pair.bounds is None:
        return ""
    west, south, east, north = pair.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    return (
        f" ({abs(lat):.3f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.3f}° {'E' if lon >= 0 else 'W'})"
    )


def _pairs(done: Sequence[PairReport]) -> str:
    titles = ("source", "years", "grid", "kept", "tiles", "shift", "left", "colours", "", "s")
    rows = [
        (
            pair.source,
            _number(pair.years),
            f"{pair.height} x {pair.width}",
            f"{pair.counts.get('kept', 0):,}",
            f"{sum(pair.counts.values()):,}",
            _number(pair.shift_px),
            _number(pair.residual_px),
            f"{_number(pair.histogram_before)} → {_number(pair.histogram_after)}",
            pair.method,
            f"{pair.seconds:.1f}",
        )
        for pair in done
    ]
    return _folded("Pairs of rasters", titles, rows) if rows else ""


def _refusals(refused: Sequence[PairReport]) -> str:
    rows = [(pair.source, pair.refused) for pair in refused]
    return _folded("Refused pairs of rasters", ("source", "why"), rows) if rows else ""


def _settings(config: dict[str, Any]) -> str:
    rows = [
        (key, value if isinstance(value, str) else json.dumps(value, default=str))
        for key, value in config.items()
    ]
    return _folded("Settings", ("name", "value"), rows) if rows else ""


def _folded(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th{_right(i, titles)}>{html.escape(t)}</th>" for i, t in enumerate(titles))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_right(i, titles)}>{html.escape(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    table = f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"
    if len(rows) > _OPEN_ROWS:
        table = f"<details><summary>Show all {len(rows):,}</summary>{table}</details>"
    return f"<h2>{html.escape(title)}</h2>" + figure(table)


def _right(column: int, titles: Sequence[str]) -> str:
    """Columns of numbers stand right; tables of two columns are text."""
    return " class=source" if column == 0 or len(titles) == 2 else " class=n"


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"
