"""Which way is up: photographs are stored as the sensor lay and say how to turn them for display.

One rule for all that reads images: a picture is taken as it is shown. Georeferenced rasters say by
their transform where each pixel lies, and are never turned.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from preprocessing.rasters.opening import is_local
from preprocessing.rasters.window import Window

__all__ = ["PICTURE_ERRORS", "UPRIGHT", "orientation_of", "stored_window", "turned"]

UPRIGHT = 1
PICTURE_ERRORS = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, RuntimeError, struct.error),
)
"""What Pillow raises on damaged files."""

_TAG = 0x0112
_KINDS = ("JPEG", "PNG", "TIFF", "WEBP")
_TURNS = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}
_MIRRORED = (2, 4, 5, 7)


def orientation_of(dataset: Any, name: str) -> int:
    """The orientation 1 to 8 of EXIF and TIFF, 1 if the pixels lie as they are shown."""
    if dataset.crs is not None or not dataset.transform.is_identity or dataset.gcps[0]:
        return UPRIGHT
    stated: Any = dataset.tags().get("EXIF_Orientation")  # GDAL reads it from JPEG alone
    if stated is None and is_local(name):
        stated = _stated(name)
    text = str(stated).strip()
    return int(text) if text in map(str, _TURNS) else UPRIGHT


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Stored pixels `(..., h, w)` as they are shown."""
    if orientation in _MIRRORED:
        pixels = pixels[..., ::-1]
    return np.ascontiguousarray(np.rot90(pixels, _TURNS[orientation], axes=(-2, -1)))


def stored_window(window: Window, orientation: int, *, height: int, width: int) -> Window:
    """Where the pixels of a window are stored.

    Args:
        window: In the picture as it is shown.
        orientation: Its orientation.
        height: Rows as they are shown.
        width: Columns as they are shown.
    """
    top, left = window.row, window.col
    below, right = height - top - window.height, width - left - window.width
    # By orientation, what is above and to the left of the window where it is stored.
    row, col = {
        1: (top, left),
        2: (top, right),
        3: (below, right),
        4: (below, left),
        5: (left, top),
        6: (right, top),
        7: (right, below),
        8: (left, below),
    }[orientation]
    if orientation < 5:
        return Window(row, col, window.height, window.width)
    return Window(row, col, window.width, window.height)


def _stated(name: str) -> int | None:
    try:
        with Image.open(name, formats=_KINDS) as image:
            stated = image.getexif().get(_TAG)
    except (*PICTURE_ERRORS, Image.DecompressionBombError):
        return None
    return stated if isinstance(stated, int) else None
