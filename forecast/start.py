"""The present as a forecast starts from it: read by blocks, gaps filled, padded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.network.patches import padded_shape
from preprocessing.errors import NoValidPixelsError
from preprocessing.masks.filling import fill_invalid
from preprocessing.rasters.io import RasterSource, blocks
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import mapped_array
from preprocessing.running.executor import in_threads

__all__ = ["BLOCK", "mirror_edges", "padded_start", "read_start", "stored_path"]

BLOCK = 1024
"""Side of what is read at once, in pixels."""


def stored_path(folder: Path) -> Path:
    """Where `read_start` keeps the stored values `(3, height, width)` as they came."""
    return folder / "stored.npy"


def read_start(
    source: RasterSource,
    folder: Path,
    tick: Callable[[], None] | None = None,
    *,
    threads: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read a raster into memory maps in `folder`.

    Args:
        source: The region.
        folder: Existing folder for the maps.
        tick: Called after each block.
        threads: Blocks that are read side by side.

    Returns:
        The image `(3, h, w)` in 0..1, mirrored at the lower and right edge to a padded shape,
        and its validity `(height, width)` on the raster's own grid.

    Raises:
        NoValidPixelsError: Every pixel is nodata.
    """
    height, width = source.grid.height, source.grid.width
    shape = (3, *padded_shape(height, width))
    image = mapped_array(folder / "start.npy", np.float32, shape)
    valid = mapped_array(folder / "valid.npy", np.bool_, (height, width))
    stored = mapped_array(stored_path(folder), source.encoding.dtype, (3, height, width))

    def read(window: Window) -> tuple[NDArray[np.float64], int]:
        """Sum over the pixels of a block that were seen, and how many."""
        values, seen = source.read_stored(window)
        rows, cols = window.slices
        stored[:, rows, cols], valid[rows, cols] = values, seen
        if not seen.any():
            return np.zeros(3), 0
        data = source.encoding.decode(values)
        image[:, rows, cols] = fill_invalid(np.where(seen, data, 0), seen)
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
    for window in empty:
        rows, cols = window.slices
        image[:, rows, cols] = (total / count)[:, None, None]
    mirror_edges(image, height=height, width=width)
    return image, valid


def mirror_edges(image: NDArray[np.float32], *, height: int, width: int) -> None:
    """Fill a padded image `(c, h, w)` beyond `height` and `width` by its mirror image."""
    down = np.pad(np.arange(height), (0, image.shape[1] - height), mode="symmetric")[height:]
    right = np.pad(np.arange(width), (0, image.shape[2] - width), mode="symmetric")[width:]
    image[:, height:, :width] = image[:, down, :width]
    image[:, :, width:] = image[:, :, right]


def padded_start(image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """An image `(3, h, w)` as 0..1, gaps filled, mirrored to a shape that the network takes."""
    height, width = valid.shape
    padded = np.empty((3, *padded_shape(height, width)), np.float32)
    padded[:, :height, :width] = fill_invalid(image, valid) / np.float32(255)
    mirror_edges(padded, height=height, width=width)
    return padded
