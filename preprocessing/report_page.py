"""The preparation's report as one HTML page that needs nothing beside it."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from preprocessing.report import PairReport, PrepareReport
from preprocessing.report_charts import (
    COLOURS,
    histogram_panels,
    image_source,
    reason_bars,
    shift_lengths,
    shift_vectors,
    tile_map,
)

__all__ = ["report_page"]

_MOST_MAPS = 60
_MOST_HISTOGRAMS = 24
_OPEN_ROWS = 30  # Longer tables are folded.

_STYLE = """
:root{--ink:#22272b;--soft:#68727a;--line:#dfe3e6;--paper:#fbfbf9;--card:#fff;--good:#2f9e6e}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:26px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:18px;margin:40px 0 12px}
p{margin:4px 0 12px;color:var(--soft);max-width:75ch}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:20px 0}
.card,figure{background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:14px 16px;margin:0}
.card b{display:block;font-size:24px;font-weight:600}.card span{color:var(--soft);font-size:13px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:16px}
figcaption{color:var(--soft);font-size:13px;margin-top:6px;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{color:var(--soft);font-weight:500;font-size:13px}.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}td.source{overflow-wrap:anywhere;min-width:180px}
.wide{width:50%}.bar{height:14px;border-radius:2px}
.key{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:7px}
.scroll{overflow-x:auto}svg{width:100%;height:auto;display:block}
svg text{font-size:11px;fill:#68727a}.grid{stroke:#dfe3e6;fill:none}
.ray{stroke:#3668c4;stroke-opacity:.35}.dot{fill:#3668c4;fill-opacity:.75}
.before{fill:#d6455d;fill-opacity:.6}.after{fill:#2f9e6e;fill-opacity:.6}
.median{stroke:#22272b;stroke-width:1.5}
.panels{display:grid;grid-template-columns:repeat(3,1fr);gap:10px}
polyline{fill:none;stroke-width:1.6}polyline.old{stroke-dasharray:3 3;stroke-opacity:.8}
polyline.past{stroke-width:1.2}
.maps{display:flex;flex-wrap:wrap;gap:14px;align-items:flex-end}
.maps figure{max-width:460px;min-width:200px;flex:0 1 auto}.maps figcaption{max-width:240px}
.two svg{max-height:300px}
img.map{image-rendering:pixelated;display:block;border:1px solid var(--line)}
img.sheet{max-width:100%;height:auto;display:block}
.keys span{margin-right:16px;font-size:13px;white-space:nowrap}
details>summary{cursor:pointer;color:var(--soft);margin:8px 0}
.warn{color:#a8323f}
"""


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
        "<h2>Tiles by reason</h2>" + _figure(reason_bars(report.counts)),
        _shifts(done),
        _histograms(done),
        "<h2>Examples</h2><p>Tiles that were kept and that were dropped, drawn at random.</p>"
        + _figure(f"<img class=sheet alt='contact sheet' src='{image_source(sheet, 'JPEG')}'>", ""),
        _maps(done),
        _pairs(done),
        _refusals(report.refused),
        _settings(report.config),
    ]
    title = html.escape(f"{report.store}: preparation report")
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


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
        + _figure(shift_vectors(done), "Shifts removed, right and down.")
        + _figure(shift_lengths(done), "Length of the shift before and after, a dot a pair.")
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
        parts.append(_figure(histogram_panels(total), caption))
    if len(known) > 1 or total is None:
        singles = "".join(
            _figure(histogram_panels(found), f"{pair.source}, {_matching(pair)}")
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
        _figure(
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
    return f"<h2>{html.escape(title)}</h2>" + _figure(table)


def _right(column: int, titles: Sequence[str]) -> str:
    """Columns of numbers stand right; tables of two columns are text."""
    return " class=source" if column == 0 or len(titles) == 2 else " class=n"


def _figure(content: str, caption: str = "") -> str:
    text = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{content}{text}</figure>"


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"
