"""Other looks of a simulated series: mixed bands, stretches, light, dithering, small shifts."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Palette", "another_look"]

Palette = Literal["mixed", "own", "curved"]


def another_look(
    images: NDArray[np.uint8], rng: np.random.Generator, palette: Palette = "mixed"
) -> NDArray[np.uint8]:
    """The same ground as another sensor, another stretch and other days would show it.

    Args:
        images: `(d, 3, H, W)` grey levels of 255.
        rng: What is drawn.
        palette: Bands of the whole series. `mixed`: each a random mixture of the bands, as
            training uses it. Two that training never sees: `own`, the bands as they are; `curved`,
            differences of bands over their sums beside a band, as indices of vegetation are.

    Returns:
        `(d, 3, H, W)` grey levels of 255.
    """
    unit = np.asarray(images / np.float32(255), np.float32)
    bands = _stretched(_bands(unit, rng, palette), rng)
    light = float(rng.choice([0.0, 0.5, 1.0, 1.6]))
    noise = float(rng.choice([0.0, 2.0, 4.0, 8.0])) / 255
    step = float(rng.choice([0.0, 0.0, 0.0, 12.0, 24.0, 36.0])) / 255
    blur_px = float(rng.choice([0.0, 0.0, 0.6, 1.0]))
    shift_px = float(rng.choice([0.0, 0.2, 0.4, 0.6]))
    looks = []
    for image in bands.transpose(0, 2, 3, 1):
        gain, gamma = np.exp(light * rng.normal(0, 0.12, (2, 3))).astype(np.float32)
        offset = (light * rng.normal(0, 0.03, 3)).astype(np.float32)
        seen = image**gamma * gain + offset
        seen = seen + np.float32(light * rng.normal(0, 0.04)) * seen.mean(axis=-1, keepdims=True)
        if shift_px:
            (dy, dx), size = rng.normal(0, shift_px, 2), seen.shape[1::-1]
            shift = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
            seen = cv2.warpAffine(seen, shift, size, borderMode=cv2.BORDER_REPLICATE)
        if blur_px:
            seen = cv2.GaussianBlur(seen, (0, 0), blur_px)
        if noise:
            seen = seen + np.float32(noise) * rng.standard_normal(seen.shape, np.float32)
        if step:  # a dithered palette
            dither = rng.random(seen.shape, np.float32) - np.float32(0.5)
            seen = np.round(seen / np.float32(step) + dither) * np.float32(step)
        looks.append(np.clip(np.rint(seen * 255), 0, 255).astype(np.uint8))
    return np.stack(looks).transpose(0, 3, 1, 2)


def _bands(
    images: NDArray[np.float32], rng: np.random.Generator, palette: Palette
) -> NDArray[np.float32]:
    if palette == "own":
        return images
    if palette == "curved":
        first, second, third = (images[:, band] for band in rng.permutation(3))
        curved = [
            (first - second) / (first + second + 0.1),
            (second - third) / (second + third + 0.1),
            third**2,
        ]
        return np.stack(curved, axis=1)
    mixture = rng.normal(size=(3, 3))
    if rng.random() < 0.7:
        mixture = np.eye(3)[rng.permutation(3)] + 0.45 * mixture
    return np.asarray(np.einsum("kc,dchw->dkhw", mixture.astype(np.float32), images))


def _stretched(bands: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Bands between drawn ends of 0..1, with a drawn gamma, alike for all dates."""
    low, high = np.quantile(bands[:, :, ::4, ::4], [0.005, 0.995], axis=(0, 2, 3))
    darkest, brightest = rng.uniform(0.02, 0.2, 3), rng.uniform(0.6, 0.98, 3)
    gamma = np.exp(rng.normal(0, 0.35, 3))

    def along(values: NDArray[np.generic]) -> NDArray[np.float32]:
        return values.astype(np.float32)[None, :, None, None]

    scaled = np.clip((bands - along(low)) / along(high - low + 1e-3), 0, 1) ** along(gamma)
    return np.asarray(along(darkest) + along(brightest - darkest) * scaled)
