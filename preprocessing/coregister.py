"""The sub-pixel translation between two images of one place, and its removal.

Summer light turns into autumn shadow, a field is mown, a roof is new: brightness does not match
between dates, and even its order flips, but edges mostly stay where they are. So the images are
turned into fields of edge direction before they are correlated (orientation correlation, Fitch et
al. 2002), with the angle doubled: dark-to-bright and bright-to-dark are the same edge. On aerial
photographs of three dates, the shifts a-b, b-c and a-c so found close within 0.4 px (median), with
single angles within 0.5 px and with 1.9 instead of 1.1 px for the worst tenth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from preprocessing.errors import GridMismatchError, RegistrationError
from preprocessing.grid import Window
from preprocessing.raster import Raster
from preprocessing.tiling import plan_tiles

__all__ = ["REFUSED_SCORE", "RELIABLE_SCORE", "Shift", "apply_shift", "estimate_shift"]

RELIABLE_SCORE = 4.5
"""From here on a shift is trusted: in 200 trials each, unrelated images reach 3.3, noise 3.8."""

REFUSED_SCORE = 3.5
"""Below, the images match no better than images of different places do."""

_BLOCK_PX = 512
_MOST_BLOCKS = 64
_BLUR_PX = 0.7
_TAPER = 0.1
_LEAST_TEXTURE = 0.002
_LEAST_VALID = 0.05
_LEAST_OVERLAP = 0.2


@dataclass(frozen=True, slots=True)
class Shift:
    """The translation that lays one image over another.

    Attributes:
        dy_px: Rows by which the moving image must go down.
        dx_px: Columns by which it must go right.
        score: Height of the correlation peak in standard deviations of the surface around it;
            from `RELIABLE_SCORE` on, the shift can be trusted.
    """

    dy_px: float
    dx_px: float
    score: float = math.inf

    @property
    def length_px(self) -> float:
        """Euclidean length."""
        return math.hypot(self.dy_px, self.dx_px)

    @property
    def reliable(self) -> bool:
        """Whether the peak stands out of chance."""
        return self.score >= RELIABLE_SCORE


_NOTHING = Shift(0.0, 0.0, 0.0)


def estimate_shift(
    reference: Raster, moving: Raster, *, max_shift_px: float = 12.0, upsample: int = 20
) -> Shift:
    """Estimate the translation that lays `moving` over `reference`.

    Phase correlation of edge directions (Fitch et al. 2002), divided by the correlation of the
    valid pixels (Padfield 2012) so that a mask that stays in place does not pin the image, summed
    over blocks of at most 512 px so that memory does not grow with the region. The peak is refined
    with a locally upsampled DFT (Guizar-Sicairos et al. 2008) and a parabola. A second pass after
    removing the first result halves the error: images that already lie alike are sampled alike.

    Args:
        reference: Raster of shape `(c, h, w)`; fixes the pixel grid.
        moving: Raster of the same height and width. Invalid pixels of either are ignored.
        max_shift_px: Longest shift along an axis that is looked for.
        upsample: Samples per pixel of the refined correlation.

    Returns:
        The shift. Images without texture (open water, snow) give `Shift(0, 0, 0)`: nothing to
        measure and nothing to repair.

    Raises:
        GridMismatchError: The sizes differ.
        RegistrationError: Both images have texture, but no shift lays one over the other.
    """
    if reference.valid.shape != moving.valid.shape:
        raise GridMismatchError(
            f"expected {moving.name} on the grid of {reference.name} "
            f"{reference.valid.shape}, got {moving.valid.shape}; align the two first"
        )
    first = _estimate(reference, moving, max_shift_px, upsample)
    if first.score < REFUSED_SCORE and first != _NOTHING:
        raise RegistrationError(
            f"expected {moving.name} to show the same ground as {reference.name}, no shift within "
            f"{max_shift_px:g} px lays one over the other (score {first.score:.1f}, needed "
            f"{REFUSED_SCORE:g}); check that both files show the same place, allow a longer shift, "
            "or switch co-registration off"
        )
    if not first.reliable:
        return first
    rest = _estimate(reference, apply_shift(moving, first), max_shift_px, upsample)
    if not rest.reliable or rest.length_px > 1:
        return first
    return Shift(first.dy_px + rest.dy_px, first.dx_px + rest.dx_px, first.score)


def apply_shift(raster: Raster, shift: Shift) -> Raster:
    """Move the pixels of a raster by a shift, resampled once with cubic convolution (Keys 1981).

    The grid stays; pixels whose value would come from outside or from invalid pixels are invalid.

    Args:
        raster: Raster of shape `(c, h, w)`.
        shift: How far to move the pixels, in rows down and columns right.
    """
    height, width = raster.valid.shape
    whole_y, whole_x = math.floor(shift.dy_px), math.floor(shift.dx_px)
    taps_y, taps_x = _cubic_taps(shift.dy_px - whole_y), _cubic_taps(shift.dx_px - whole_x)
    source_rows = np.arange(height) - whole_y
    source_cols = np.arange(width) - whole_x
    pad = 2
    rows = np.clip(source_rows, -pad, height + pad - 1) + pad
    cols = np.clip(source_cols, -pad, width + pad - 1) + pad
    planes = [
        cv2.sepFilter2D(
            cv2.copyMakeBorder(plane, pad, pad, pad, pad, cv2.BORDER_REPLICATE),
            cv2.CV_32F,
            taps_x,
            taps_y,
            borderType=cv2.BORDER_REPLICATE,
        )[np.ix_(rows, cols)]
        for plane in raster.data
    ]
    support = (taps_y != 0).astype(np.uint8)[:, None] * (taps_x != 0).astype(np.uint8)[None, :]
    invalid = cv2.copyMakeBorder(
        (~raster.valid).astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_REPLICATE
    )
    reached = cv2.filter2D(invalid, cv2.CV_32F, support.astype(np.float32)) > 0
    valid = ~reached[np.ix_(rows, cols)]
    exact_y, exact_x = np.arange(height) - shift.dy_px, np.arange(width) - shift.dx_px
    valid &= ((exact_y >= 0) & (exact_y <= height - 1))[:, None]
    valid &= ((exact_x >= 0) & (exact_x <= width - 1))[None, :]
    return replace(raster, data=np.stack(planes), valid=valid)


def _estimate(reference: Raster, moving: Raster, max_shift_px: float, upsample: int) -> Shift:
    """One pass of `estimate_shift`, which never refuses."""
    height, width = reference.valid.shape
    reach = min(math.ceil(max_shift_px), min(height, width) // 2 - 1)
    size = min(_BLOCK_PX, height, width)
    windows = plan_tiles(height, width, size=size, stride=size)
    padded = scipy.fft.next_fast_len(size + reach + 1)
    match = np.zeros((padded, padded), dtype=np.complex128)
    overlap = np.zeros_like(match)
    for window in _spread(windows, _MOST_BLOCKS):
        first = _directions(reference.crop(window))
        second = _directions(moving.crop(window))
        if first is not None and second is not None:
            match += _cross_spectrum(first[0], second[0], padded)
            overlap += _cross_spectrum(first[1], second[1], padded)
    if not match.any():
        return _NOTHING
    level = _LEAST_OVERLAP * float(scipy.fft.ifft2(overlap).real.max())
    surface = scipy.fft.fftshift(
        scipy.fft.ifft2(match).real / np.maximum(scipy.fft.ifft2(overlap).real, level)
    )
    centre = padded // 2
    near = slice(centre - reach, centre + reach + 1)
    search = surface[near, near] * _trust(reach)
    row, col = (int(i) for i in np.unravel_index(int(search.argmax()), search.shape))
    score = _score(surface, row + centre - reach, col + centre - reach)
    dy, dx = _refine(match, overlap, row - reach, col - reach, upsample)
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


def _spread(items: list[Window], most: int) -> list[Window]:
    """At most `most` items, evenly spread over the list."""
    if len(items) <= most:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


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


def _cubic_taps(fraction: float) -> NDArray[np.float64]:
    """Weights of five neighbours that move a signal by `fraction` (0..1) pixels forward."""
    taps = np.zeros(5)
    for offset in range(-2, 3):
        distance = abs(-fraction - offset)
        if distance < 1:
            taps[offset + 2] = 1.5 * distance**3 - 2.5 * distance**2 + 1
        elif distance < 2:
            taps[offset + 2] = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps[np.abs(taps) < 1e-12] = 0
    return taps
