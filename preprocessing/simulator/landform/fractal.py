"""Fractal and band-limited noise by spectral synthesis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["fractal_noise"]


def fractal_noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    slope: float,
    largest_px: float,
    smallest_px: float = 2.0,
) -> NDArray[np.float32]:
    """Gaussian noise whose power falls as `wavelength ** slope` within a band of wavelengths.

    Computed on a larger period and cropped, so opposite edges do not match.

    Args:
        shape: Rows and columns.
        rng: Source of randomness.
        slope: 0 for equal power at all wave numbers, 2 to 3 for terrain.
        largest_px: Wavelength above which power no longer grows.
        smallest_px: Wavelength below which power falls off quickly.

    Returns:
        `shape`, zero mean, unit variance over the crop.
    """
    pad = int(min(max(shape), largest_px)) // 2 + 4
    rows, cols = (int(fft.next_fast_len(n + pad, real=True)) for n in shape)
    spectrum = fft.rfft2(rng.standard_normal((rows, cols), dtype=np.float32))
    wave = np.hypot(fft.fftfreq(rows)[:, None], fft.rfftfreq(cols)[None, :]).astype(np.float32)
    low = np.float32(1.0 / largest_px)
    gain = (wave**2 + low**2) ** np.float32(-slope / 2) * (wave / (wave + 0.3 * low))
    gain *= np.exp(-((wave * np.float32(smallest_px * 0.6)) ** 2))
    field = fft.irfft2(spectrum * gain, s=(rows, cols))[: shape[0], : shape[1]]
    field = field - field.mean()
    return np.asarray(field / max(float(field.std()), 1e-9), dtype=np.float32)
