"""Tone curves for whole regions: counted block by block, applied block by block.

A method is an accumulator: `add` every block of a pair, take `curves` once, apply them to every
block. Matching each tile on its own would paint seams and hide change.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.tone_curves import FINE_LEVELS, SHOWN_LEVELS, ToneCurves, quantised

__all__ = [
    "HistogramMatch",
    "LevelCounts",
    "ToneCurves",
    "histogram_gap",
    "levels_for",
    "match_histogram",
    "matching_curve",
]

# calcHist returns float32, which counts exactly up to here.
_MOST_PIXELS = 1 << 24


class LevelCounts:
    """How many pixels of each image have each level, per channel.

    Attributes:
        source: `(c, levels)` int64.
        reference: Likewise.
    """

    def __init__(self, channels: int = 3, levels: int = SHOWN_LEVELS) -> None:
        if levels not in (SHOWN_LEVELS, FINE_LEVELS):
            raise ValueError(f"expected {SHOWN_LEVELS} or {FINE_LEVELS} levels, got {levels}")
        self.source: NDArray[np.int64] = np.zeros((channels, levels), np.int64)
        self.reference: NDArray[np.int64] = np.zeros((channels, levels), np.int64)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.source)

    @property
    def levels(self) -> int:
        """256 or 65536."""
        return int(self.source.shape[1])

    def add_source(self, data: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
        """Count the pixels of `(c, h, w)` that `valid` `(h, w)` allows."""
        _count_into(self.source, data, valid)

    def add_reference(self, data: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
        """Count the pixels of `(c, h, w)` that `valid` `(h, w)` allows."""
        _count_into(self.reference, data, valid)

    def histograms(self, curves: ToneCurves) -> dict[str, NDArray[np.float64]]:
        """Shares `(c, 256)` of the levels in `source`, `reference` and `matched`.

        `matched` is the source seen through the curves.
        """
        inputs = np.rint(np.linspace(0, FINE_LEVELS - 1, self.levels)).astype(np.uint16)
        outputs = curves.apply(np.broadcast_to(inputs, (self.channels, 1, self.levels)))
        bins = np.rint(outputs[:, 0].astype(np.float64) / 257).astype(np.intp)
        same = np.broadcast_to(np.rint(inputs / 257).astype(np.intp), self.source.shape)
        return {
            "source": _shares(self.source, same),
            "reference": _shares(self.reference, same),
            "matched": _shares(self.source, bins),
        }


class HistogramMatch:
    """Histogram matching from cumulative distributions (Gonzalez and Woods, 3.3.2), streamed.

    Equal to matching the whole region at once. Every level of the source becomes the level of the
    reference with the same share of darker pixels.

    Args:
        channels: Number of channels.
        levels: 256, or 65536 for images of more than 8 bits (see `levels_for`).
    """

    def __init__(self, channels: int = 3, levels: int = SHOWN_LEVELS) -> None:
        self.counts = LevelCounts(channels, levels)

    def add(
        self,
        source: NDArray[Any],
        reference: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> HistogramMatch:
        """Count a block `(c, h, w)` of both images where `valid` `(h, w)`; returns itself."""
        self.counts.add_source(source, valid)
        self.counts.add_reference(reference, valid)
        return self

    def curves(self) -> ToneCurves:
        """The matching curves of everything that was added.

        Raises:
            NoValidPixelsError: Either image has no valid pixel.
        """
        pairs = zip(
            _cumulative(self.counts.source), _cumulative(self.counts.reference), strict=True
        )
        curves = np.stack([matching_curve(ours, theirs) for ours, theirs in pairs])
        return ToneCurves((curves / (self.counts.levels - 1)).astype(np.float32))

    def histograms(self) -> dict[str, NDArray[np.float64]]:
        """Shares `(c, 256)` of pixels per level: `source`, `reference` and `matched`."""
        return self.counts.histograms(self.curves())


def levels_for(dtype: str) -> int:
    """Levels to count for a stored type: 256 for 8 bits, else 65536."""
    return SHOWN_LEVELS if np.dtype(dtype).itemsize == 1 else FINE_LEVELS


def matching_curve(
    source: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The level of `reference` with the same share of darker pixels, for each level of `source`.

    Levels between those that occur in `source` lie on straight lines, so that values which were
    rounded to be counted keep their place.

    Args:
        source: `(n,)` cumulative distribution, ends at 1.
        reference: Likewise.

    Returns:
        `(n,)` levels, 0..n-1, not decreasing.
    """
    ours, theirs = (np.flatnonzero(np.diff(c, prepend=0.0) > 0) for c in (source, reference))
    matched = np.interp(source[ours], reference[theirs], theirs.astype(np.float64))
    return np.interp(np.arange(len(source)), ours, matched)


def histogram_gap(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Mean over channels of the first Wasserstein distance between histograms.

    Args:
        first: `(c, n)` counts or shares per level.
        second: Likewise.

    Returns:
        0 for equal histograms, 1 for all black against all white.

    Raises:
        NoValidPixelsError: Either holds no pixel.
    """
    steps = first.shape[1] - 1
    apart = np.abs(_cumulative(first) - _cumulative(second)).sum(axis=1) / steps
    return float(apart.mean())


def _count_into(
    total: NDArray[np.int64], data: NDArray[Any], valid: NDArray[np.bool_] | None
) -> None:
    """Add the pixels of `(c, h, w)` to `total` `(c, levels)`."""
    channels, levels = total.shape
    if data.ndim != 3 or len(data) != channels:
        raise ValueError(f"expected data ({channels}, h, w), got {data.shape}")
    if valid is not None and valid.shape != data.shape[1:]:
        raise ValueError(f"expected valid {data.shape[1:]}, got {valid.shape}")
    if not data.size or (valid is not None and not valid.any()):
        return
    mask = None if valid is None else np.ascontiguousarray(valid).view(np.uint8)
    # Whole numbers are counted as they are: taking 65536 levels to 256 is quicker than pixels.
    counted = 1 << 8 * data.dtype.itemsize if data.dtype in (np.uint8, np.uint16) else levels
    places = None
    if counted != levels:
        places = quantised(np.arange(counted).astype(data.dtype)[None], levels)[0]
    rows = max(1, _MOST_PIXELS // data.shape[2])
    for plane, counts in zip(data, total, strict=True):
        for top in range(0, data.shape[1], rows):
            strip = slice(top, top + rows)
            image = np.ascontiguousarray(quantised(plane[strip], counted))
            part = None if mask is None else mask[strip]
            found = cv2.calcHist([image], [0], part, [counted], [0, counted]).ravel()
            if places is not None:
                found = np.bincount(places, weights=found, minlength=levels)
            counts += found.astype(np.int64)


def _cumulative(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Cumulative distributions `(c, n)` of counts per level."""
    totals = counts.sum(axis=1, keepdims=True)
    if not (totals > 0).all():
        raise NoValidPixelsError(
            "expected valid pixels to match histograms on, got none; check nodata and masks"
        )
    return np.asarray(np.cumsum(counts, axis=1) / totals, dtype=np.float64)


def _shares(counts: NDArray[np.int64], bins: NDArray[np.intp]) -> NDArray[np.float64]:
    """Shares `(c, 256)` of counts `(c, n)` that fall into the given bins."""
    rows = [
        np.bincount(places, weights=weights, minlength=SHOWN_LEVELS)
        for places, weights in zip(bins, counts.astype(np.float64), strict=True)
    ]
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.stack(rows) / totals)


def match_histogram(
    source: NDArray[Any],
    reference: NDArray[Any],
    *,
    source_valid: NDArray[np.bool_] | None = None,
    reference_valid: NDArray[np.bool_] | None = None,
    levels: int = 256,
) -> NDArray[Any]:
    """Change the values of `source` so that each channel is distributed as in `reference`.

    One monotone curve per channel, from the cumulative histograms of the whole region (Gonzalez
    and Woods, Digital Image Processing, 3.3.2). Matching tile by tile would paint seams and hide
    change.

    Args:
        source: `(c, h, w)`, unit values, clipped to 0..1; or uint8 or uint16 over the full range.
        reference: `(c, h2, w2)`, likewise.
        source_valid: `(h, w)`; other pixels do not count but are mapped too. Default: all.
        reference_valid: `(h2, w2)`; default: all.
        levels: 256, or 65536 for images of more than 8 bits.

    Returns:
        `(c, h, w)`, float32, 0..1; uint8 and uint16 stay what they are.

    Raises:
        NoValidPixelsError: Either image has no valid pixel.
    """
    match = HistogramMatch(len(source), levels)
    match.counts.add_source(source, source_valid)
    match.counts.add_reference(reference, reference_valid)
    return match.curves().apply(source)
