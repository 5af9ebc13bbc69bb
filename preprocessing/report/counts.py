"""What preparation did: counts by reason, shifts, colours and time, as JSON and as text."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from preprocessing.running.counted import counted
from preprocessing.tiles.filters import Reason

__all__ = ["Example", "PairReport", "PrepareReport", "json_value"]

_LEFT_OUT = {"examples", "tiles", "histograms"}  # Too large for JSON that is read by eye.
_MEASURED = {
    "shift_px": "shift removed, px",
    "residual_px": "shift left, px",
    "score": "registration score",
    "histogram_before": "histogram distance before",
    "histogram_after": "histogram distance after",
    "years": "years between",
}
"""What is measured of each pair of rasters, and its title."""


@dataclass(frozen=True)
class Example:
    """One tile pair to look at.

    Attributes:
        reason: What became of it.
        past: `(3, h, w)` uint8.
        future: Like `past`.
        source: Where it comes from.
    """

    reason: Reason
    past: np.ndarray[Any, np.dtype[np.uint8]]
    future: np.ndarray[Any, np.dtype[np.uint8]]
    source: str


@dataclass(frozen=True)
class PairReport:
    """What became of one pair of rasters.

    Attributes:
        source: `dataset/place/earlier/later`.
        counts: Tiles by reason, `kept` among them.
        splits: Kept tiles by split.
        years: Time from the earlier to the later date.
        height: Rows of the common grid.
        width: Columns of the common grid.
        dy_px: Shift that was removed, rows down.
        dx_px: Shift that was removed, columns right.
        score: Score of the shift's estimate; 0 where there was no texture to measure.
        residual_px: Shift that is left, measured again; NaN where it cannot be measured.
        histogram_before: Mean Wasserstein distance of the channels' histograms, 0..1.
        histogram_after: Likewise after matching.
        seconds: Time taken.
        refused: Why nothing could be made of this pair, or empty.
        examples: A few tile pairs for the contact sheet.
        histograms: Counts of valid pixels by level, `{"past": rows, "before": rows, "after":
            rows}` with one row of equally many counts a channel (red, green, blue), levels rising
            from 0 to 1: the earlier date, and the later one before and after matching. None where
            they were not taken. Shown on the page, left out of the JSON.
        method: How the colours were matched: `histogram`, `invariant`, `none` ...; empty unknown.
        bounds: West, south, east, north of the common grid in degrees (WGS 84); None without
            georeference.
        tiles: `(row, col, reason)` of every tile judged, row and column of its first pixel on the
            common grid, reason as in `Reason`. Written to `tiles.csv.gz`, left out of the JSON.
    """

    source: str
    counts: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    years: float = math.nan
    height: int = 0
    width: int = 0
    dy_px: float = math.nan
    dx_px: float = math.nan
    score: float = math.nan
    residual_px: float = math.nan
    histogram_before: float = math.nan
    histogram_after: float = math.nan
    seconds: float = 0.0
    refused: str = ""
    examples: tuple[Example, ...] = ()
    histograms: dict[str, Any] | None = None
    method: str = ""
    bounds: tuple[float, float, float, float] | None = None
    tiles: tuple[tuple[int, int, str], ...] = ()

    @property
    def shift_px(self) -> float:
        """Length of the removed shift."""
        return math.hypot(self.dy_px, self.dx_px)

    def as_json(self) -> dict[str, Any]:
        """JSON values; unknown numbers are null; examples, tiles and histograms are left out."""
        values = {key: value for key, value in vars(self).items() if key not in _LEFT_OUT}
        return {key: json_value(value) for key, value in values.items()}


@dataclass(frozen=True)
class PrepareReport:
    """What became of all pairs of one store.

    Attributes:
        store: Name of the store's folder.
        pairs: One report for each pair of rasters.
        config: Settings, JSON values.
        seconds: Time taken in all.
        examples: Tile pairs for the contact sheet.
    """

    store: str
    pairs: tuple[PairReport, ...]
    config: dict[str, Any]
    seconds: float
    examples: tuple[Example, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Tiles by reason over all pairs, in the order of `Reason`."""
        total: Counter[str] = Counter()
        for pair in self.pairs:
            total.update(pair.counts)
        return {reason.value: total[reason.value] for reason in Reason}

    @property
    def splits(self) -> dict[str, int]:
        """Kept tiles by split."""
        total: Counter[str] = Counter()
        for pair in self.pairs:
            total.update(pair.splits)
        return dict(total)

    @property
    def kept(self) -> int:
        """Tile pairs in the store."""
        return self.counts[Reason.KEPT.value]

    @property
    def tiles(self) -> int:
        """Tile pairs looked at."""
        return sum(self.counts.values())

    @property
    def refused(self) -> list[PairReport]:
        """Pairs of rasters of which nothing could be made."""
        return [pair for pair in self.pairs if pair.refused]

    def summary(self) -> dict[str, Any]:
        """The totals as JSON values; small enough to go with the store."""
        return {
            "store": self.store,
            "raster_pairs": len(self.pairs),
            "refused_raster_pairs": len(self.refused),
            "tiles": self.tiles,
            "counts": self.counts,
            "splits": self.splits,
            **{name: self._spread(name) for name in _MEASURED},
            "seconds": round(self.seconds, 2),
            "config": self.config,
        }

    def as_json(self) -> str:
        """Totals and every raster pair."""
        content = {**self.summary(), "pairs": [pair.as_json() for pair in self.pairs]}
        return json.dumps(content, indent=1, allow_nan=False)

    def as_text(self) -> str:
        """A page to read."""
        rasters = len(self.pairs) - len(self.refused)
        lines = [
            f"{self.store}: {self.kept} of {self.tiles} tile pairs kept, from "
            f"{counted(rasters, 'pair')} of rasters, {self.seconds:.1f} s",
            "",
        ]
        for reason, count in self.counts.items():
            share = 100 * count / max(self.tiles, 1)
            lines.append(f"  {reason:<26}{count:>8}  {share:5.1f} %")
        lines.append("")
        lines += [f"  split {name:<20}{count:>8}" for name, count in self.splits.items()]
        lines.append("")
        lines.append(f"  {'':<26}{'median':>9}{'90 %':>9}{'most':>9}")
        for name, title in _MEASURED.items():
            spread = self._spread(name)
            if spread is not None:
                lines.append(
                    f"  {title:<26}{spread['median']:>9.4g}{spread['p90']:>9.4g}"
                    f"{spread['max']:>9.4g}"
                )
        unmeasured = sum(1 for p in self.pairs if not p.refused and math.isnan(p.residual_px))
        if unmeasured:
            lines.append(
                f"  {counted(unmeasured, 'pair')} of rasters left unshifted: no shift stands out"
            )
        if self.refused:
            lines += ["", f"  {counted(len(self.refused), 'pair')} of rasters refused:"]
            lines += [f"    {pair.source}: {pair.refused}" for pair in self.refused]
        return "\n".join(lines) + "\n"

    def _spread(self, name: str) -> dict[str, float] | None:
        known = [value for pair in self.pairs if math.isfinite(value := getattr(pair, name))]
        if not known:
            return None
        return {
            "median": round(float(np.median(known)), 5),
            "p90": round(float(np.percentile(known, 90)), 5),
            "max": round(max(known), 5),
        }


def json_value(value: Any) -> Any:
    """The value as JSON has it: floats rounded to 5 digits, null where not finite."""
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value
