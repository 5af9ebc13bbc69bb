"""Relative normalisation on pseudo-invariant pixels: colours from what did not change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.stats import chi2

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.histogram_matching import LevelCounts
from preprocessing.radiometry.pixel_sample import PixelSample
from preprocessing.radiometry.tone_curves import FINE_LEVELS, ToneCurves, quantised

__all__ = ["LinearFit", "PseudoInvariant"]

_ROUNDS = 60
_SETTLED = 1e-4
_LEAST_PROBABILITY = 0.1
_LEAST_SHARE = 0.1
_LEAST_PAIRS = 50
# Across seasons hardly a field keeps its colour; the line through what is left means nothing.
_LEAST_CORRELATION = 0.7
# Variance of a channel that is constant but for rounding.
_CONSTANT = 1e-7
# Below this part of the spread of a channel, differences are rounding.
_LEAST_NOISE = 1e-3


@dataclass(frozen=True)
class LinearFit:
    """What makes the source look like the reference where the ground did not change.

    Attributes:
        gain: `(c,)`, positive.
        offset: `(c,)`, unit values.
        invariant: Share of the pixels taken for unchanged: about 0.9 if nothing changed.
        correlation: `(c,)` correlation of both images over the unchanged pixels.
    """

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    invariant: float
    correlation: NDArray[np.float64]


class PseudoInvariant:
    """Linear fit per channel on pixels that did not change, streamed.

    Iteratively reweighted multivariate alteration detection (IR-MAD, Nielsen 2007) finds them:
    canonical correlation analysis of both images gives differences of unit variance in which
    change stands out, whatever the gains and offsets; pixels are weighted with the probability of
    no change under a chi-square law, and again, until the correlations stay. Then an orthogonal
    regression per channel over the unchanged pixels (Canty and Nielsen 2008). Two things differ
    from the papers. Weights make the differences look smaller than they are; their variance is
    corrected for it, or every round would trust fewer pixels until none are left. And as the
    probability of an unchanged pixel is uniform over 0..1, all pixels above 0.1 are used, weighted,
    not only the few above 0.95.

    Histogram matching takes real change for colour; this does not, as long as the unchanged pixels
    are the larger part and the sensors differ by gain and offset. Other curves (another gamma) need
    `HistogramMatch`.

    Args:
        channels: Number of channels.
        size: Most distinct pairs of pixel values to fit on; see `PixelSample`.
    """

    def __init__(self, channels: int = 3, size: int = 1 << 16) -> None:
        self.counts = LevelCounts(channels)
        self.sample = PixelSample(2 * channels, size)

    def add(
        self,
        source: NDArray[Any],
        reference: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> PseudoInvariant:
        """Count a block `(c, h, w)` of both images where `valid` `(h, w)`; returns itself."""
        if source.shape != reference.shape:
            raise ValueError(f"expected blocks of one shape, got {source.shape}, {reference.shape}")
        self.counts.add_source(source, valid)
        self.counts.add_reference(reference, valid)
        planes = [quantised(plane, FINE_LEVELS) for plane in (*source, *reference)]
        chosen = slice(None) if valid is None else valid.ravel()
        self.sample.add(np.stack([plane.ravel()[chosen] for plane in planes]))
        return self

    def fit(self) -> LinearFit:
        """Gains and offsets of everything that was added.

        Raises:
            NoValidPixelsError: Too few unchanged pixels to fit on, or they do not look alike.
        """
        channels = self.counts.channels
        values = self.sample.values / (FINE_LEVELS - 1)
        source, reference = values[:, :channels], values[:, channels:]
        counts = self.sample.counts.astype(np.float64)
        if len(counts) == 0:
            raise NoValidPixelsError(
                "expected valid pixels to normalise on, got none; check nodata and masks"
            )
        # Clipped values say nothing about gain.
        inside = ((values > 0) & (values < 1)).all(axis=1)
        unchanged, weights = inside, counts * inside
        if np.count_nonzero(inside) >= _LEAST_PAIRS:
            probability = no_change(source, reference, weights)
            unchanged = inside & (probability > _LEAST_PROBABILITY)
            weights = weights * probability * unchanged
        share = float(counts[unchanged].sum() / counts.sum())
        if share < _LEAST_SHARE or np.count_nonzero(unchanged) < _LEAST_PAIRS:
            raise NoValidPixelsError(
                f"expected pixels that did not change to normalise on, found {share:.1%} of "
                f"{len(counts)} different ones; match histograms instead"
            )
        lines = [orthogonal_line(source[:, c], reference[:, c], weights) for c in range(channels)]
        gain, offset, correlation = (np.array(part) for part in zip(*lines, strict=True))
        if correlation.min() < _LEAST_CORRELATION:
            raise NoValidPixelsError(
                "expected pixels that did not change and look alike at both dates, got a "
                f"correlation of {correlation.min():.2f} in band {int(correlation.argmin()) + 1}; "
                "match histograms instead"
            )
        return LinearFit(gain, offset, share, correlation)

    def curves(self) -> ToneCurves:
        """The fitted lines as curves.

        Raises:
            NoValidPixelsError: Too few unchanged pixels to fit on, or they do not look alike.
        """
        fit = self.fit()
        return ToneCurves.linear(fit.gain, fit.offset)

    def histograms(self) -> dict[str, NDArray[np.float64]]:
        """Shares `(c, 256)` of pixels per level: `source`, `reference` and `matched`."""
        return self.counts.histograms(self.curves())


def no_change(
    source: NDArray[np.float64], reference: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability of no change by IR-MAD (Nielsen 2007).

    Args:
        source: `(n, c)` values.
        reference: `(n, c)` values.
        counts: `(n,)` pixels with these values.

    Returns:
        `(n,)`, 0..1.
    """
    channels = source.shape[1]
    both = np.concatenate([source, reference], axis=1)
    probability = np.ones(len(both))
    before = np.zeros(channels)
    shrink, weighted = 1.0, _weighted_variance(channels)
    for _ in range(_ROUNDS):
        weights = counts * probability
        total = weights.sum()
        mean = weights @ both / total
        centred = both - mean
        covariance = (centred * weights[:, None]).T @ centred / total
        spread = np.diag(covariance).mean() * _LEAST_NOISE**2
        covariance[np.diag_indices(2 * channels)] += spread + 1e-12
        xx, xy = covariance[:channels, :channels], covariance[:channels, channels:]
        yy = covariance[channels:, channels:]
        squared, a = eigh(xy @ np.linalg.solve(yy, xy.T), xx)
        rho = np.sqrt(np.clip(squared, 0.0, 1.0))
        b = np.linalg.solve(yy, xy.T @ a)
        b /= np.sqrt(np.einsum("ij,ik,kj->j", b, yy, b)) + 1e-30
        differences = centred[:, :channels] @ a - centred[:, channels:] @ b
        variance = np.maximum(2 * (1 - rho) / shrink, _LEAST_NOISE**2)
        shrink = weighted
        probability = chi2.sf((differences**2 / variance).sum(axis=1), channels)
        if np.abs(rho - before).max() < _SETTLED:
            break
        before = rho
    return np.asarray(probability)


def _weighted_variance(channels: int) -> float:
    """Variance of a unit normal vector's parts when weighted with its probability.

    Weighting with the probability of no change makes the differences look smaller than they are;
    undivided, every round would trust fewer pixels, until none are left.
    """
    steps = (np.arange(20_000) + 0.5) / 20_000
    return float((chi2.ppf(steps, channels) * (1 - steps)).mean() / (0.5 * channels))


def orthogonal_line(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float, float]:
    """The line nearest to weighted points, measured across the line (total least squares).

    Args:
        x: `(n,)`.
        y: `(n,)`.
        weights: `(n,)`, at least one above 0.

    Returns:
        Slope, intercept and correlation. Where both are constant, slope 1 and correlation 1; where
        y does not rise with x, slope 1 and the correlation, 0 or less.
    """
    total = weights.sum()
    mx, my = weights @ x / total, weights @ y / total
    dx, dy = x - mx, y - my
    xx, yy, xy = weights @ dx**2 / total, weights @ dy**2 / total, weights @ (dx * dy) / total
    if max(xx, yy) <= _CONSTANT:
        return 1.0, float(my - mx), 1.0
    if xy <= _CONSTANT:
        return 1.0, float(my - mx), float(min(0.0, xy) / np.sqrt(max(xx * yy, _CONSTANT**2)))
    apart = yy - xx
    slope = (apart + np.hypot(apart, 2 * xy)) / (2 * xy)
    return float(slope), float(my - slope * mx), float(xy / np.sqrt(xx * yy))
