"""Histogram matching of two arrays in memory; `radiometry` does it for regions of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.radiometry.matching import (
    HistogramMatch,
    LevelCounts,
    histogram_gap,
    matching_curve,
)

__all__ = ["histogram_distance", "match_histogram", "matching_curve"]


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


def histogram_distance(
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    first_valid: NDArray[np.bool_] | None = None,
    second_valid: NDArray[np.bool_] | None = None,
) -> float:
    """Mean over channels of the first Wasserstein distance between the value distributions.

    Args:
        first: `(c, h, w)`, unit values (or uint8, uint16), taken to 256 levels.
        second: `(c, h2, w2)`, likewise.
        first_valid: `(h, w)`; default: all.
        second_valid: `(h2, w2)`; default: all.

    Returns:
        0 for equal histograms, 1 for all black against all white.

    Raises:
        NoValidPixelsError: Either image has no valid pixel.
    """
    counts = LevelCounts(len(first))
    counts.add_source(first, first_valid)
    counts.add_reference(second, second_valid)
    return histogram_gap(counts.source, counts.reference)
