"""Cumulus clouds and their shadows, with the mask that tells where they are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.seeds import generator

__all__ = ["cover_with_clouds"]

_WHITE = np.array([0.93, 0.93, 0.95], dtype=np.float32)


def cover_with_clouds(
    scene: NDArray[np.float32], config: WorldConfig, year: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Draw a year's clouds over a scene.

    Args:
        scene: `(3, h, w)` values, 0..1.
        config: Configuration of the world.
        year: Index of the year.

    Returns:
        The clouded scene, and the mask `(h, w)` of clouds and their shadows, True where the
        ground is not seen as it is. Between 2 and 30 % of the scene.
    """
    rng = generator(config.seed, "clouds", year)
    shape = (config.height, config.width)
    metre = 1.0 / config.gsd_m
    field = fractal_noise(
        shape, rng, slope=2.3, largest_px=1400.0 * metre, smallest_px=max(2.0, 30.0 * metre)
    )
    share = float(rng.uniform(0.01, 0.14))
    base = float(np.quantile(field, 1.0 - share))
    thick = np.clip((field - base) / 0.5, 0.0, 1.0)
    thick = (1.0 - np.exp(-4.0 * thick)).astype(np.float32)
    away = float(rng.uniform(260.0, 700.0)) * metre
    move = np.array([[1.0, 0.0, -0.5 * away], [0.0, 1.0, -0.85 * away]])
    shadow = cv2.warpAffine(thick, move, shape[::-1], borderMode=cv2.BORDER_REFLECT)
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.5, 15.0 * metre))
    relief = cv2.GaussianBlur(thick, (0, 0), 3.0) - cv2.GaussianBlur(thick, (0, 0), 9.0)
    dark = scene * (1.0 - 0.6 * shadow) + np.array([0, 0.004, 0.012])[:, None, None] * shadow
    white = _WHITE[:, None, None] * (0.96 + 0.25 * relief)
    clouded = dark * (1.0 - thick) + white * thick
    hidden = (np.maximum(thick, shadow) > 0.02).astype(np.uint8)
    mask = cv2.dilate(hidden, np.ones((5, 5), np.uint8)) > 0
    return np.clip(clouded, 0.0, 1.0).astype(np.float32), np.asarray(mask)
