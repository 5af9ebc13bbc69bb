"""Histogram matching: give one image the colours of another."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError

__all__ = ["histogram_distance", "match_histogram", "matching_curve"]

_LEVELS = 256


def match_histogram(
    source: NDArray[np.float32],
    reference: NDArray[np.float32],
    *,
    source_valid: NDArray[np.bool_] | None = None,
    reference_valid: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Change the values of `source` so that each channel is distributed as in `reference`.

    One monotone curve per channel, from the cumulative histograms of the whole region (Gonzalez
    and Woods, Digital Image Processing, 3.3.2). Matching tile by tile would paint seams and hide
    change.

    Args:
        source: `(c, h, w)`, unit values; values outside 0..1 are clipped.
        reference: `(c, h2, w2)`, unit values.
        source_valid: `(h, w)`; other pixels do not count but are mapped too. Default: all.
        reference_valid: `(h2, w2)`; default: all.

    Returns:
        `(c, h, w)`, 0..1.

    Raises:
        NoValidPixelsError: Either image has no valid pixel.
    """
    matched = np.empty_like(source, dtype=np.float32)
    levels = np.arange(_LEVELS, dtype=np.float64)
    for channel, values in enumerate(source):
        curve = matching_curve(
            _cumulative(values, source_valid), _cumulative(reference[channel], reference_valid)
        )
        stored = np.clip(values, 0, 1) * (_LEVELS - 1)
        matched[channel] = np.interp(stored, levels, curve) / (_LEVELS - 1)
    return matched


def matching_curve(
    source: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The level of `reference` with the same share of darker pixels, for each level of `source`.

    Args:
        source: `(256,)` cumulative distribution, ends at 1.
        reference: Likewise.

    Returns:
        `(256,)` levels, 0..255, not decreasing.
    """
    occurs = np.diff(reference, prepend=0.0) > 0
    return np.interp(source, reference[occurs], np.flatnonzero(occurs).astype(np.float64))


def histogram_distance(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    *,
    first_valid: NDArray[np.bool_] | None = None,
    second_valid: NDArray[np.bool_] | None = None,
) -> float:
    """Mean over channels of the first Wasserstein distance between the value distributions.

    Args:
        first: `(c, h, w)`, unit values.
        second: `(c, h2, w2)`, unit values.
        first_valid: `(h, w)`; default: all.
        second_valid: `(h2, w2)`; default: all.

    Returns:
        0 for equal histograms, 1 for all black against all white.

    Raises:
        NoValidPixelsError: Either image has no valid pixel.
    """
    gaps = [
        np.abs(_cumulative(a, first_valid) - _cumulative(b, second_valid)).sum() / (_LEVELS - 1)
        for a, b in zip(first, second, strict=True)
    ]
    return float(np.mean(gaps))


def _cumulative(
    values: NDArray[np.float32], valid: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Cumulative distribution `(256,)` of the 8-bit levels of one channel."""
    levels = np.rint(np.clip(values, 0, 1) * (_LEVELS - 1)).astype(np.uint8)
    mask = None if valid is None else valid.astype(np.uint8)
    counts = cv2.calcHist([levels], [0], mask, [_LEVELS], [0, _LEVELS]).ravel().astype(np.float64)
    if counts.sum() == 0:
        raise NoValidPixelsError(
            "expected valid pixels to match histograms on, got none; check nodata and masks"
        )
    return np.asarray(np.cumsum(counts) / counts.sum())
