"""Where two images fit best: masked correlation of edge directions, summed over blocks.

Summer light turns into autumn shadow, a field is mown, a roof is new: brightness does not match
between dates, and even its order flips, but edges mostly stay where they are. So the images are
turned into fields of edge direction before they are correlated (orientation correlation, Fitch et
al. 2002), with the angle doubled: dark-to-bright and bright-to-dark are the same edge. On aerial
photographs of three dates, the shifts a-b, b-c and a-c so found close within 0.4 px (median), with
single angles within 0.5 px and with 1.9 instead of 1.1 px for the worst tenth.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from preprocessing.rasters.raster import Raster
from preprocessing.registration.shift import Shift

__all__ = ["EdgeCorrelation", "Spectra"]

_BLUR_PX = 0.7
_TAPER = 0.1
_LEAST_TEXTURE = 0.002
_LEAST_VALID = 0.05
_LEAST_OVERLAP = 0.2
_UPSAMPLE = 20
"""Samples per pixel of the refined correlation."""
_DIGITS = 4
"""Of shifts in pixels."""


@dataclass(frozen=True)
class Spectra:
    """A block as `EdgeCorrelation` compares it, both `(n, n)` complex.

    Attributes:
        field: Spectrum of its edge directions.
        weights: Spectrum of its valid pixels.
    """

    field: NDArray[np.complex64]
    weights: NDArray[np.complex64]


class EdgeCorrelation:
    """Sum of the cross-spectra of blocks; the best shift is looked for once, at the end.

    The correlation is divided by that of the valid pixels (Padfield 2012) so that a mask that
    stays in place does not pin the image.

    Args:
        size_px: Side of the square blocks.
        reach_px: Longest shift along an axis that is looked for.
    """

    def __init__(self, size_px: int, reach_px: int) -> None:
        self._reach = reach_px
        self._padded = scipy.fft.next_fast_len(size_px + reach_px + 1)
        self._match = np.zeros((self._padded, self._padded), dtype=np.complex128)
        self._overlap = np.zeros_like(self._match)
        self.blocks = 0

    def add(self, reference: Raster, moving: Raster) -> bool:
        """Add a block.

        Args:
            reference: Raster of shape `(c, size_px, size_px)` or smaller.
            moving: Likewise, the same ground.

        Returns:
            Whether there was anything to see at both dates.
        """
        first = self.spectra(reference)
        second = None if first is None else self.spectra(moving)
        return self.add_spectra(first, second)

    def spectra(self, raster: Raster) -> Spectra | None:
        """What `add_spectra` needs of a block; None if there is nothing to see.

        Args:
            raster: Raster of shape `(c, size_px, size_px)` or smaller.
        """
        found = _directions(raster)
        if found is None:
            return None
        field, solid = found
        shape = (self._padded, self._padded)
        weights = np.outer(*(_taper(length) for length in solid.shape))
        if solid.all():
            of_weights = _taper_spectrum(*solid.shape, self._padded)
        else:
            weights *= solid
            of_weights = scipy.fft.fft2(weights, shape)
        return Spectra(scipy.fft.fft2(field * weights, shape, overwrite_x=True), of_weights)

    def add_spectra(self, reference: Spectra | None, moving: Spectra | None) -> bool:
        """Add a block by its `spectra`, of which one image's may be kept for several others.

        Returns:
            Whether there was anything to see at both dates.
        """
        if reference is None or moving is None:
            return False
        self._match += reference.field * np.conj(moving.field)
        self._overlap += reference.weights * np.conj(moving.weights)
        self.blocks += 1
        return True

    def best(self) -> Shift:
        """The shift of the highest peak; `Shift(0, 0, 0)` if nothing was added.

        The peak is refined with a locally upsampled DFT (Guizar-Sicairos et al. 2008) and a
        parabola.
        """
        if not self._match.any():
            return Shift(0.0, 0.0, 0.0)
        reach, centre = self._reach, self._padded // 2
        common = scipy.fft.ifft2(self._overlap).real
        level = _LEAST_OVERLAP * float(common.max())
        surface = scipy.fft.fftshift(scipy.fft.ifft2(self._match).real / np.maximum(common, level))
        near = slice(centre - reach, centre + reach + 1)
        search = surface[near, near] * _trust(reach)
        row, col = (int(i) for i in np.unravel_index(int(search.argmax()), search.shape))
        score = _score(surface, row + centre - reach, col + centre - reach)
        dy, dx = _refine(self._match, self._overlap, row - reach, col - reach)
        # The last digits of sums hang on where in memory the values lay.
        return Shift(round(dy, _DIGITS), round(dx, _DIGITS), score)


def _directions(raster: Raster) -> tuple[NDArray[np.complex64], NDArray[np.bool_]] | None:
    """Doubled edge directions and where they are known; None if there is nothing to see.

    Returns:
        Complex `(h, w)` of length 0 (flat) to 1, of mean 0; and bool `(h, w)`.
    """
    valid = raster.valid
    if valid.mean() < _LEAST_VALID:
        return None
    grey = raster.data.mean(axis=0)
    if not valid.all():
        grey = np.where(valid, grey, grey[valid].mean())
    grey = cv2.GaussianBlur(grey, (5, 5), _BLUR_PX)
    across = cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=1 / 32)
    solid = cv2.erode(
        valid.astype(np.uint8),
        np.ones((7, 7), np.uint8),  # As far as blur and gradient together reach.
        borderType=cv2.BORDER_CONSTANT,
        borderValue=1,
    ).astype(bool)
    if solid.mean() < _LEAST_VALID:
        return None
    strength = cv2.magnitude(across, down)
    seen = strength.ravel() if solid.all() else strength[solid]
    if _order_statistic(seen, 0.95) < _LEAST_TEXTURE:
        return None
    least = max(0.7 * _order_statistic(seen, 0.5), _LEAST_TEXTURE / 2)
    damped = 1 / (strength**2 + np.float32(least**2))
    field = np.empty(strength.shape, np.complex64)
    field.real = (across**2 - down**2) * damped
    field.imag = 2 * across * down * damped
    field -= field.mean(where=solid)
    return field, solid


def _order_statistic(values: NDArray[np.float32], share: float) -> float:
    """The value that a share of all lies below.

    `np.percentile` looks for two neighbours to interpolate, which takes ten times as long.
    """
    place = int(share * (len(values) - 1))
    return float(np.partition(values, place)[place])


def _trust(reach: int) -> NDArray[np.float64]:
    """Weights `(2 reach + 1, 2 reach + 1)` that prefer the shorter of two shifts that fit alike.

    Repeated structures (rows, parking lots) and leaning towers give several peaks; dates of one
    product rarely lie far apart. 1 at the centre, 0.6 at `reach`: a lone peak wins anywhere.
    """
    rows, cols = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(1 / (1 + (rows**2 + cols**2) / (1.25 * reach) ** 2))


def _taper(length: int) -> NDArray[np.float32]:
    """Flat window with cosine ends (Tukey)."""
    ramp = max(2, round(length * _TAPER))
    window = np.ones(length, dtype=np.float32)
    window[:ramp] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / ramp)
    window[-ramp:] = window[:ramp][::-1]
    return window


@functools.lru_cache(maxsize=4)
def _taper_spectrum(height: int, width: int, size: int) -> NDArray[np.complex64]:
    """Spectrum `(size, size)` of the weights of a block without gaps, the same for all of them."""
    return np.outer(*(scipy.fft.fft(_taper(length), size) for length in (height, width)))


def _score(surface: NDArray[np.float64], row: int, col: int) -> float:
    """Peak height in standard deviations of the surface away from the peak."""
    rows, cols = np.ogrid[: surface.shape[0], : surface.shape[1]]
    centre_y, centre_x = surface.shape[0] // 2, surface.shape[1] // 2
    near = max(surface.shape[0] // 4, 8)
    around = (abs(rows - centre_y) <= near) & (abs(cols - centre_x) <= near)
    around = around & ((rows - row) ** 2 + (cols - col) ** 2 > 25)
    level = surface[around]
    return float((surface[row, col] - level.mean()) / (level.std() + 1e-12))


def _refine(
    match: NDArray[np.complex128],
    overlap: NDArray[np.complex128],
    dy: float,
    dx: float,
) -> tuple[float, float]:
    """Peak near `(dy, dx)` of the correlation of two fields over that of their weights.

    Locally upsampled DFT as two matrix products (Guizar-Sicairos et al. 2008), then a parabola
    through the highest sample and its neighbours.
    """
    frequencies = np.fft.fftfreq(match.shape[0])
    steps = np.arange(-_UPSAMPLE, _UPSAMPLE + 1) / _UPSAMPLE
    for _ in range(2):
        kernel_y = np.exp(2j * np.pi * np.outer(dy + steps, frequencies))
        kernel_x = np.exp(2j * np.pi * np.outer(frequencies, dx + steps))
        common = (kernel_y @ overlap @ kernel_x).real
        local = (kernel_y @ match @ kernel_x).real / np.maximum(common, common.max() / 2)
        i, j = (int(k) for k in np.unravel_index(int(local.argmax()), local.shape))
        dy, dx = float(dy + steps[i]), float(dx + steps[j])
        if 0 < i < len(steps) - 1 and 0 < j < len(steps) - 1:
            break
    if 0 < i < len(steps) - 1:
        dy += _vertex(*local[i - 1 : i + 2, j]) / _UPSAMPLE
    if 0 < j < len(steps) - 1:
        dx += _vertex(*local[i, j - 1 : j + 2]) / _UPSAMPLE
    return dy, dx


def _vertex(before: float, peak: float, after: float) -> float:
    """Position of the vertex of the parabola through three samples at -1, 0 and 1."""
    bend = before - 2 * peak + after
    return 0.0 if bend >= 0 else float(0.5 * (before - after) / bend)
