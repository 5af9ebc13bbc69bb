"""A simple detector of bright clouds in visible bands, for scenes without a mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.rasters.raster import Raster

__all__ = ["DETECTION_HALO_PX", "detect_clouds"]

# Of a cloud's core: least value of the darkest band, most whiteness, least haze.
_CORE = (0.70, 0.20, 0.30)
# Of its edge, where the ground shines through.
_EDGE = (0.45, 0.40, 0.22)
_GROWTH_PX = 8
_MARGIN_PX = 3
_LEAST_WIDTH_M = 70.0
_WIDTHS_PX = (5, 31)

# Pixels around a window that can change the result in it.
DETECTION_HALO_PX = _WIDTHS_PX[1] + _GROWTH_PX + _MARGIN_PX


def detect_clouds(raster: Raster) -> NDArray[np.bool_]:
    """Find thick, bright clouds by the visible tests of Fmask (Zhu and Woodcock 2012).

    Three tests per pixel: bright in all bands, white (equation 2: sum of the relative distances of
    the bands from their mean) and hazy (equation 3: blue less half the red). Cores are pixels that
    pass strictly and form a patch at least 70 m wide (5 to 31 pixels), which leaves out most roofs
    and roads; they grow by up to 8 pixels into what passes loosely, then by a margin of 3.

    Without infrared bands this cannot tell clouds from snow, white sand or very large white roofs,
    and finds neither thin cirrus nor shadows: a mask that comes with the scene is always better.
    The thresholds are in unit values of a picture in natural colours, 0 black to 1 white.

    Args:
        raster: `(3, h, w)` red, green, blue. Every threshold is absolute, so a window gives the
            same as the whole scene but for the outer `DETECTION_HALO_PX` pixels.

    Returns:
        `(h, w)`, True under clouds.
    """
    data = np.clip(raster.data, 0.0, 1.0)
    core = _passes(data, *_CORE) & raster.valid
    if not core.any():
        return core
    width = _LEAST_WIDTH_M / raster.grid.gsd_m if raster.grid.gsd_m else 0.0
    width_px = int(np.clip(round(width), *_WIDTHS_PX))
    patches = cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_OPEN, _disc(width_px)) > 0
    near = _grown(patches, _GROWTH_PX)
    edge = _passes(data, *_EDGE) & raster.valid
    return _grown(patches | (near & edge), _MARGIN_PX)


def _passes(
    data: NDArray[np.float32], least_dark: float, most_white: float, least_haze: float
) -> NDArray[np.bool_]:
    """The tests of one pixel each."""
    mean = data.mean(axis=0)
    whiteness = np.abs(data - mean).sum(axis=0) / np.maximum(mean, 1e-3)
    haze = data[2] - 0.5 * data[0]
    return np.asarray(
        (data.min(axis=0) > least_dark) & (whiteness < most_white) & (haze > least_haze)
    )


def _grown(mask: NDArray[np.bool_], by_px: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(2 * by_px + 1)) > 0)


def _disc(width_px: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px, width_px)))
