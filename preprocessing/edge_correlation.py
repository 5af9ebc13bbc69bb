"""Where two images fit best: masked correlation of edge directions, summed over blocks.

Summer light turns into autumn shadow, a field is mown, a roof is new: brightness does not match
between dates, and even its order flips, but edges mostly stay where they are. So the images are
turned into fields of edge direction before they are correlated (orientation correlation, Fitch et
al. 2002), with the angle doubled: dark-to-bright and bright-to-dark are the same edge. On aerial
photographs of three dates, the shifts a-b, b-c and a-c so found close within 0.4 px (median), with
single angles within 0.5 px and with 1.9 instead of 1.1 px for the worst tenth.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from preprocessing.raster import Raster
from preprocessing.shift import Shift

__all__ = ["EdgeCorrelation"]

_BLUR_PX = 0.7
_TAPER = 0.1
_LEAST_TEXTURE = 0.002
_LEAST_VALID = 0.05
_LEAST_OVERLAP = 0.2


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
        first, second = _directions(reference), _directions(moving)
        if first is None or second is None:
            return False
        self._match += _cross_spectrum(first[0], second[0], self._padded)
        self._overlap += _cross_spectrum(first[1], second[1], self._padded)
        self.blocks += 1
        return True

    def best(self, upsample: int = 20) -> Shift:
        """The shift of the highest peak; `Shift(0, 0, 0)` if nothing was added.

        The peak is refined with a locally upsampled DFT (Guizar-Sicairos et al. 2008) and a
        parabola.

        Args:
            upsample: Samples per pixel of the refined correlation.
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
        dy, dx = _refine(self._match, self._overlap, row - reach, col - reach, upsample)
        return Shift(dy, dx, score)


def _directions(
    raster: Raster,
) -> tuple[NDArray[np.complex64], NDArray[np.float32]] | None:
    """Doubled edge directions and how much each counts; None if there is nothing to see.

    Returns:
        Complex `(h, w)` of length 0 (flat, invalid) to 1, times the weights; and the weights
        `(h, w)`, 0 (invalid) to 1.
    """
    valid = raster.valid
    if valid.mean() < _LEAST_VALID:
        return None
    grey = raster.data.mean(axis=0)
    grey = np.where(valid, grey, grey[valid].mean()).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (5, 5), _BLUR_PX)
    gradient = cv2.Scharr(grey, cv2.CV_32F, 1, 0) + 1j * cv2.Scharr(grey, cv2.CV_32F, 0, 1)
    gradient /= 32.0
    solid = cv2.erode(
        valid.astype(np.uint8),
        np.ones((7, 7), np.uint8),  # As far as blur and gradient together reach.
        borderType=cv2.BORDER_CONSTANT,
        borderValue=1,
    ).astype(bool)
    if solid.mean() < _LEAST_VALID:
        return None
    strength = np.abs(gradient)
    typical = float(np.median(strength[solid]))
    if float(np.percentile(strength[solid], 95)) < _LEAST_TEXTURE:
        return None
    field = gradient**2 / (strength**2 + max(0.7 * typical, _LEAST_TEXTURE / 2) ** 2)
    field -= field[solid].mean()
    weights = np.outer(_taper(field.shape[0]), _taper(field.shape[1])) * solid
    return (field * weights).astype(np.complex64), weights.astype(np.float32)


def _cross_spectrum(first: NDArray[Any], second: NDArray[Any], size: int) -> NDArray[np.complex64]:
    """Spectrum `(size, size)` of the cross-correlation of two images, padded with zeros."""
    shape = (size, size)
    product = scipy.fft.fft2(first, shape) * np.conj(scipy.fft.fft2(second, shape))
    return np.asarray(product)


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
    upsample: int,
) -> tuple[float, float]:
    """Peak near `(dy, dx)` of the correlation of two fields over that of their weights.

    Locally upsampled DFT as two matrix products (Guizar-Sicairos et al. 2008), then a parabola
    through the highest sample and its neighbours.
    """
    frequencies = np.fft.fftfreq(match.shape[0])
    steps = np.arange(-upsample, upsample + 1) / upsample
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
        dy += _vertex(*local[i - 1 : i + 2, j]) / upsample
    if 0 < j < len(steps) - 1:
        dx += _vertex(*local[i, j - 1 : j + 2]) / upsample
    return dy, dx


def _vertex(before: float, peak: float, after: float) -> float:
    """Position of the vertex of the parabola through three samples at -1, 0 and 1."""
    bend = before - 2 * peak + after
    return 0.0 if bend >= 0 else float(0.5 * (before - after) / bend)
