"""The preparation's report as one HTML page that needs nothing beside it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from preprocessing.report.charts import picture
from preprocessing.report.counts import PairReport, PrepareReport
from preprocessing.report.drawings import (
    REASON_COLOURS,
    histograms_chart,
    shift_lengths_chart,
    shifts_chart,
    tile_map,
)
from preprocessing.report.html_page import TEMPLATES, html_page

__all__ = ["report_page"]

_MOST_MAPS = 60
_MOST_HISTOGRAMS = 24
_FEW_MAPS, _LARGE_PX, _SMALL_PX = 4, 420, 160
_OTHER = "#333333"


def report_page(report: PrepareReport, sheet: Image.Image) -> str:
    """Draw the report; the page asks nothing of the network and runs no script.

    Returns:
        An HTML document.
    """
    done = [pair for pair in report.pairs if not pair.refused]
    mapped = [pair for pair in done if pair.tiles]
    most_px = _LARGE_PX if len(mapped) <= _FEW_MAPS else _SMALL_PX
    together, apart = _histograms(done)
    measured = any(math.isfinite(pair.shift_px) for pair in done)
    return html_page(
        TEMPLATES / "preparation.html",
        f"{report.store}: preparation report",
        cards=_cards(report, done),
        counts=report.counts,
        colours=defaultdict(lambda: _OTHER, REASON_COLOURS),
        shifts=(shifts_chart(done), shift_lengths_chart(done)) if measured else None,
        unmeasured=sum(1 for pair in done if math.isnan(pair.residual_px)),
        all_histograms=together,
        histograms=apart,
        sheet=picture(sheet, "contact sheet", kind="JPEG", css="sheet"),
        maps=[(tile_map(p.tiles, most_px=most_px), _of_map(p)) for p in mapped[:_MOST_MAPS]],
        more_maps=len(mapped) - _MOST_MAPS,
        pairs=[_row(pair) for pair in done],
        refused=[(pair.source, pair.refused) for pair in report.refused],
        settings=report.config,
    )


def _cards(report: PrepareReport, done: Sequence[PairReport]) -> list[tuple[str, str]]:
    return [
        ("tile pairs kept", f"{report.kept:,}"),
        (f"of {report.tiles:,} judged", f"{100 * report.kept / max(report.tiles, 1):.1f} %"),
        ("pairs of rasters", f"{len(done):,}"),
        ("refused", f"{len(report.refused):,}"),
        ("seconds", f"{report.seconds:,.1f}"),
        *((f"in {name}", f"{count:,}") for name, count in report.splits.items()),
    ]


def _histograms(
    done: Sequence[PairReport],
) -> tuple[tuple[Markup, str] | None, list[tuple[Markup, str]]]:
    """Of all pairs together where they have alike channels, and pair by pair."""
    known = [(pair, pair.histograms) for pair in done if pair.histograms]
    if not known:
        return None, []
    total = _sum([found for _, found in known])
    caption = f"All {len(known)} pairs." if len(known) > 1 else _matching(known[0][0])
    together = None if total is None else (histograms_chart(total), caption)
    if len(known) == 1 and together is not None:
        return together, []
    apart = [
        (histograms_chart(found), f"{pair.source}, {_matching(pair)}")
        for pair, found in known[:_MOST_HISTOGRAMS]
    ]
    return together, apart


def _matching(pair: PairReport) -> str:
    method = f"{pair.method}: " if pair.method else ""
    return f"{method}distance {_number(pair.histogram_before)} → {_number(pair.histogram_after)}"


def _sum(found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Added up where all have as many channels and levels."""
    stacks = [np.array([one[name] for name in ("past", "before", "after")]) for one in found]
    if len({stack.shape for stack in stacks}) > 1:
        return None
    return dict(zip(("past", "before", "after"), np.sum(stacks, axis=0), strict=True))


def _of_map(pair: PairReport) -> str:
    kept = f"{pair.counts.get('kept', 0)} of {len(pair.tiles)} kept"
    if pair.bounds is None:
        return f"{pair.source}: {kept}"
    west, south, east, north = pair.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    sides = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
    return f"{pair.source} ({abs(lat):.3f}° {sides[0]}, {abs(lon):.3f}° {sides[1]}): {kept}"


def _row(pair: PairReport) -> tuple[str, ...]:
    return (
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


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"
