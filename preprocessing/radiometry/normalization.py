"""The colours of the later image made those of the earlier one, over the whole region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.histogram_matching import (
    HistogramMatch,
    ToneCurves,
    histogram_gap,
    levels_for,
)
from preprocessing.radiometry.pseudo_invariant import PseudoInvariant
from preprocessing.radiometry.tone_curves import SHOWN_LEVELS, quantised
from preprocessing.rasters.grid import Grid, Window, whole
from preprocessing.rasters.image_source import ImageSource
from preprocessing.rasters.io import blocks
from preprocessing.rasters.raster import Raster

__all__ = ["RADIOMETRY", "Normalization", "Radiometry", "fit_normalization"]

Radiometry = Literal["histogram", "invariant", "none"]
RADIOMETRY: tuple[str, ...] = get_args(Radiometry)

_BLOCK_PX = 512
_MOST_BLOCKS = 256
"""67 million pixels, spread over the region: enough to know how its values are distributed."""

_WHOLE_PX = 2048
"""Regions up to this side are read in one piece."""


@dataclass(frozen=True)
class Normalization:
    """The curves for the later image and what they do.

    Attributes:
        method: What was done: `histogram`, `invariant` or `none`.
        curves: For the later image; None to leave it.
        before: Distance of the histograms before, see `histogram_gap`.
        after: The same after.
        histograms: `past`, `before` and `after`: counts `(3, 256)` of valid pixels by level.
    """

    method: str
    curves: ToneCurves | None
    before: float
    after: float
    histograms: dict[str, Any]

    def apply(self, raster: Raster) -> NDArray[np.uint8]:
        """The later raster `(c, h, w)` with the earlier one's colours, in 256 levels."""
        if self.curves is None:
            return np.stack([quantised(plane, SHOWN_LEVELS) for plane in raster.data])
        return self.curves.apply(raster.data, dtype=np.uint8)


def fit_normalization(first: ImageSource, second: ImageSource, method: str) -> Normalization:
    """Find the curves in one pass over at most 256 blocks of the region.

    Matched values are used only if they bring the histograms nearer, which they do not always do
    in images of few colours (palettes). Curves from pixels that did not change are always used:
    where much has changed, histograms have reason to differ.

    Args:
        first: The earlier image.
        second: The later image on the same grid, laid over it.
        method: `histogram`, `invariant` or `none`.

    Raises:
        ValueError: Another method.
        NoValidPixelsError: No pixel is valid at both dates, or too few did not change.
    """
    if method not in RADIOMETRY:
        raise ValueError(f"expected a radiometry of {', '.join(RADIOMETRY)}, got {method!r}")
    match: HistogramMatch | PseudoInvariant | None = None
    pixels = 0
    for window in _sample(first.grid):
        past, future = first.read(window), second.read(window)
        both = past.valid & future.valid
        if not both.any():
            continue
        pixels += int(both.sum())
        match = match or _match(method, past, future)
        match.add(future.data, past.data, both)
    if match is None:
        raise NoValidPixelsError(
            f"expected common ground, no pixel of {first.name} and {second.name} is valid in both; "
            "check nodata, masks and clouds"
        )
    curves = None if method == "none" else match.curves()
    shares = match.counts.histograms(curves or ToneCurves.identity())
    before = histogram_gap(shares["reference"], shares["source"])
    after = histogram_gap(shares["reference"], shares["matched"])
    if curves is None or (method == "histogram" and after >= before):
        method, curves, after = "none", None, before
        shares["matched"] = shares["source"]
    names = {"past": "reference", "before": "source", "after": "matched"}
    return Normalization(
        method,
        curves,
        before,
        after,
        {key: np.rint(shares[name] * pixels).astype(np.int64) for key, name in names.items()},
    )


def _match(method: str, past: Raster, future: Raster) -> HistogramMatch | PseudoInvariant:
    """What counts the levels of both images."""
    if method == "invariant":
        return PseudoInvariant()
    levels = SHOWN_LEVELS
    if method == "histogram":
        levels = max(levels_for(raster.encoding.dtype) for raster in (past, future))
    return HistogramMatch(levels=levels)


def _sample(grid: Grid) -> list[Window]:
    """The whole region, or blocks spread over it."""
    if max(grid.shape) <= _WHOLE_PX:
        return [whole(grid)]
    windows = blocks(grid, size=_BLOCK_PX)
    if len(windows) <= _MOST_BLOCKS:
        return windows
    step = (len(windows) - 1) / (_MOST_BLOCKS - 1)
    return [windows[round(i * step)] for i in range(_MOST_BLOCKS)]
