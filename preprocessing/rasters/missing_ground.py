"""Ground that is missing though neither nodata nor a mask says so: GDAL reads zeros there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.windows import Window as RasterioWindow
from scipy.ndimage import binary_dilation, label

from preprocessing.rasters.opening import READ_ERRORS, is_local
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.window import Window

__all__ = ["BlackCollar", "UnwrittenBlocks"]

_MOST_SIDE = 1024
"""Pixels along the shrunk image that filling is looked for in."""
_CORNER = 4
_LEAST_SHARE = 1e-3
_WRITTEN_BY_US = "LANDCAST"
"""Tag of rasters whose mask tells all that is missing: black is ground where they have none."""
_TOUCHING = np.ones((3, 3), bool)


@dataclass(frozen=True)
class UnwrittenBlocks:
    """The blocks that no band of a file has.

    Attributes:
        height: Rows of a block.
        width: Columns of a block.
        blocks: Block row and block column of each.
    """

    height: int
    width: int
    blocks: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, dataset: Any, name: str) -> UnwrittenBlocks | None:
        """Those of an open file; None where there are none, or a mask or nodata tells of them."""
        if dataset.driver != "GTiff" or not is_local(name) or _told(dataset):
            return None
        height, width = dataset.block_shapes[0]
        rows, cols = -(-dataset.height // height), -(-dataset.width // width)
        found = frozenset(
            (row, col)
            for row in range(rows)
            for col in range(cols)
            if not any(
                dataset.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", band)
                for band in dataset.indexes
            )
        )
        return cls(height, width, found) if found else None

    def clear(self, valid: NDArray[np.bool_], window: Window) -> None:
        """Mark their pixels in the validity `(h, w)` of a window as not observed."""
        for row, col in self.blocks:
            top, left = row * self.height - window.row, col * self.width - window.col
            below, right = top + self.height, left + self.width
            valid[max(top, 0) : max(below, 0), max(left, 0) : max(right, 0)] = False


@dataclass(frozen=True)
class BlackCollar:
    """Where pixels that are 0 in all bands are filling, as `nearblack` of GDAL finds it.

    Scenes that were turned, cut along a border or exported as pictures are filled up with black to
    a rectangle. Where the file does not say so, a forecast would take the filling for land.

    Attributes:
        near: `(h, w)` of the shrunk image, where the filling is or is near.
        height: Rows of the file.
        width: Columns of the file.
        share: Of the image that is filling, about.
    """

    near: NDArray[np.bool_]
    height: int
    width: int
    share: float

    @classmethod
    def of(cls, dataset: Any, bands: Sequence[int], encoding: Encoding) -> BlackCollar | None:
        """That of an open file: black from a corner on, and what is like it at the border.

        Returns:
            None where no corner is black, all is black, 0 is not the darkest value, pixels are
            damaged (who reads them is told so), or nodata, a mask or an alpha band tells what is
            ground. Rasters that landcast wrote tell it too.
        """
        whole_numbers = np.dtype(encoding.dtype).kind in "iu"
        if _told(dataset) or encoding.nodata is not None or not whole_numbers or encoding.low < 0:
            return None
        if _WRITTEN_BY_US in dataset.tags():
            return None
        try:
            black = _black(dataset, list(bands))
        except READ_ERRORS:
            return None
        if black is None:
            return None
        parts, _ = label(black, _TOUCHING)
        border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
        large = np.bincount(parts.ravel()) >= _LEAST_SHARE * parts.size
        found = np.isin(parts, [part for part in np.unique(border) if part and large[part]])
        if not found.any() or black.all():
            return None
        near = binary_dilation(found, _TOUCHING)
        return cls(near, dataset.height, dataset.width, float(found.mean()))

    def clear(self, valid: NDArray[np.bool_], stored: NDArray[Any], window: Window) -> None:
        """Mark the filling in the validity `(h, w)` of a window of the file as not observed.

        Args:
            valid: Changed in place.
            stored: `(c, h, w)` values of the bands there.
            window: Of the file.
        """
        rows = np.arange(window.row, window.row + window.height) * self.near.shape[0] // self.height
        cols = np.arange(window.col, window.col + window.width) * self.near.shape[1] // self.width
        valid &= stored.any(axis=0) | ~self.near[np.ix_(rows, cols)]


def _black(dataset: Any, bands: list[int]) -> NDArray[np.bool_] | None:
    """Where the shrunk image is 0 in all bands; None where no corner of it is."""
    height, width = dataset.height, dataset.width
    corner = (min(_CORNER, height), min(_CORNER, width))
    corners = (
        RasterioWindow(col, row, corner[1], corner[0])
        for row in (0, height - corner[0])
        for col in (0, width - corner[1])
    )
    if all(dataset.read(bands, window=window).any() for window in corners):
        return None
    shape = tuple(min(side, _MOST_SIDE) for side in (height, width))
    return np.asarray(~dataset.read(bands, out_shape=(len(bands), *shape)).any(axis=0))


def _told(dataset: Any) -> bool:
    """Whether nodata, a mask or an alpha band tells what is ground."""
    return any(MaskFlags.all_valid not in flags for flags in dataset.mask_flag_enums)
