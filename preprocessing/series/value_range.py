"""One range of stored values for all dates of a place, where nothing states it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from preprocessing.errors import (
    MissingFileError,
    NoValidPixelsError,
    UnknownRangeError,
    UnreadableRasterError,
)
from preprocessing.preparation.manifest import ManifestImage
from preprocessing.rasters.image_source import Reading
from preprocessing.rasters.io import blocks

__all__ = ["with_range"]

_LOW, _HIGH = 0.5, 99.5
_MOST_BLOCKS = 9
_UNREADABLE = (MissingFileError, UnreadableRasterError)


def with_range(reading: Reading, images: Sequence[ManifestImage]) -> Reading:
    """How to read the dates of a place so that equal stored values are equal grey levels.

    Where neither the files nor the caller nor a sensor state what is black and white, both are
    measured: percentiles 0.5 and 99.5 of red, green and blue together, of all dates together. A
    range a date would take its change for light; a range a band would change its hue.

    Returns:
        `reading`, with a range where one had to be measured.

    Raises:
        NoValidPixelsError: No pixel of any date is valid.
        RequestError: The files cannot be understood as asked: see `RasterSource.open`.
    """
    if not any(_unknown(reading, image) for image in images):
        return reading
    stored = replace(reading, value_range=(0.0, 1.0))
    values = [part for image in images for part in _sample(stored, image)]
    if not values:
        raise NoValidPixelsError(
            f"expected pixels of {images[0].place} to find their range of values, all are invalid; "
            "check nodata and masks, or state the range, e.g. --value-range 0,3000"
        )
    low, high = np.percentile(np.concatenate(values), [_LOW, _HIGH])
    return replace(reading, value_range=(float(low), float(max(high, np.nextafter(low, np.inf)))))


def _unknown(reading: Reading, image: ManifestImage) -> bool:
    try:
        reading.open(image.path, year=image.year)
    except UnknownRangeError:
        return True
    except _UNREADABLE:  # Told when its turn comes.
        return False
    return False


def _sample(reading: Reading, image: ManifestImage) -> list[np.ndarray]:
    """Stored values of some blocks of an image."""
    try:
        source = reading.open(image.path, year=image.year)
        windows = blocks(source.grid)
        step = max(1, len(windows) // _MOST_BLOCKS)
        found = []
        with source.reading() as read:
            for window in windows[::step]:
                raster = read(window)
                found.append(raster.data[:, raster.valid].ravel())
    except _UNREADABLE:
        return []
    return [values for values in found if values.size]
