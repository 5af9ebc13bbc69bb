"""Histogram matching of two arrays in memory; `radiometry` does it for regions of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.radiometry.matching import HistogramMatch

__all__ = ["match_histogram"]


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
