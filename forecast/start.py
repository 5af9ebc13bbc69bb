"""The present as a forecast starts from it: read by blocks, gaps filled, padded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.network.patches import padded_shape
from preprocessing.errors import NoValidPixelsError, ValueRangeError
from preprocessing.masks.filling import fill_invalid
from preprocessing.rasters.io import RasterSource, blocks
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import mapped_array
from preprocessing.running.executor import in_threads

__all__ = ["BLOCK", "DecodedImage", "mirror_edges", "padded_start", "read_start"]

BLOCK = 1024
"""Side of what is read at once, in pixels."""


class DecodedImage:
    """Stored values that are read as 0..1, part by part.

    Args:
        stored: `(3, h, w)`; may be a memory map.
        encoding: How they are stored.
    """

    def __init__(self, stored: NDArray[Any], encoding: Encoding) -> None:
        self._stored, self._encoding = stored, encoding

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the image."""
        return self._stored.shape

    def __getitem__(self, key: Any, /) -> NDArray[np.float32]:
        return self._encoding.decode(np.asarray(self._stored[key]))


def read_start(
    source: RasterSource,
    folder: Path,
    tick: Callable[[], None] | None = None,
    *,
    threads: int = 1,
) -> tuple[DecodedImage, NDArray[np.bool_]]:
    """Read a raster into memory maps in `folder`: `start.npy` and `valid.npy`.

    Args:
        source: The region.
        folder: Existing folder for the maps.
        tick: Called after each block.
        threads: Blocks that are read side by side.

    Returns:
        The image `(3, h, w)` in 0..1, gaps filled, mirrored at the lower and right edge to a padded
        shape, kept as stored values; and its validity `(height, width)` on the raster's own grid.

    Raises:
        NoValidPixelsError: Every pixel is nodata.
        ValueRangeError: It is brighter than white, or darker than black, in all bands.
    """
    height, width = source.grid.height, source.grid.width
    shape = (3, *padded_shape(height, width))
    encoding = source.encoding
    stored = mapped_array(folder / "start.npy", encoding.dtype, shape)
    valid = mapped_array(folder / "valid.npy", np.bool_, (height, width))

    def read(window: Window) -> tuple[NDArray[np.float64], int]:
        """Sum over the pixels of a block that were seen, and how many."""
        values, seen = source.read_stored(window)
        rows, cols = window.slices
        valid[rows, cols] = seen
        if not seen.any():
            return np.zeros(3), 0
        stored[:, rows, cols] = fill_invalid(values, seen)
        data = encoding.decode(values)
        return data[:, seen].sum(axis=1, dtype=np.float64), int(seen.sum())

    windows = blocks(source.grid, size=BLOCK)
    empty, total, count = [], np.zeros(3), 0
    for window, (of_block, some) in zip(windows, in_threads(read, windows, threads), strict=True):
        if tick is not None:
            tick()
        total, count = total + of_block, count + some
        if not some:
            empty.append(window)
    if count == 0:
        raise NoValidPixelsError(
            f"expected an image, every pixel of {source.path} is nodata or masked"
        )
    mean = total / count
    if (mean > 1).all() or (mean < 0).all():
        raise ValueRangeError(
            f"expected stored values between {encoding.low:g} (black) and {encoding.high:g} "
            f"(white), those of {source.path} are {'above' if mean[0] > 1 else 'below'} on "
            "average; mend --value-range"
        )
    for window in empty:
        rows, cols = window.slices
        stored[:, rows, cols] = encoding.encode(mean[:, None, None])
    mirror_edges(stored, height=height, width=width)
    return DecodedImage(stored, encoding), valid


def mirror_edges(image: NDArray[Any], *, height: int, width: int) -> None:
    """Fill a padded image `(c, h, w)` beyond `height` and `width` by its mirror image."""
    down = np.pad(np.arange(height), (0, image.shape[1] - height), mode="symmetric")[height:]
    right = np.pad(np.arange(width), (0, image.shape[2] - width), mode="symmetric")[width:]
    image[:, height:, :width] = image[:, down, :width]
    image[:, :, width:] = image[:, :, right]


def padded_start(image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """An image `(3, h, w)`, gaps filled, mirrored to a shape that the network takes."""
    height, width = valid.shape
    padded = np.empty((3, *padded_shape(height, width)), np.uint8)
    padded[:, :height, :width] = fill_invalid(image, valid)
    mirror_edges(padded, height=height, width=width)
    return padded
