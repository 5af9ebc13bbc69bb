"""Where the ground is hidden by clouds and their shadows: masks that came with a scene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window as RasterioWindow

from preprocessing.errors import CloudMaskError, GridMismatchError, UnreadableRasterError
from preprocessing.masks.cloud_detection import detect_clouds
from preprocessing.rasters.grid import Grid, Window, pixel_positions
from preprocessing.rasters.opening import READ_ERRORS, opened, shown_name

__all__ = ["CloudKind", "CloudSource", "clear_codes", "detect_clouds"]

CloudKind = Literal["scl", "qa_pixel", "mask"]

# Sen2Cor's scene classification: no data, saturated or defective, cloud shadow, cloud of medium and
# of high probability, thin cirrus (Sentinel-2 Products Specification Document, level 2A).
_SCL_HIDDEN = (0, 1, 3, 8, 9, 10)
_SCL_LAST = 11
# Bits of Landsat Collection 2 QA_PIXEL: fill, dilated cloud, cirrus, cloud, cloud shadow (Landsat
# 8-9 Collection 2 Level 2 Science Product Guide; bit 2 is unused on Landsat 4 to 7).
_QA_HIDDEN = 0b1_1111
_UNKNOWN = -1
_EDGE_POINTS = 21


@dataclass(frozen=True)
class CloudSource:
    """A cloud mask that was opened, but not read.

    Attributes:
        path: File path or anything GDAL opens.
        kind: `scl` for Sentinel-2 scene classification, `qa_pixel` for Landsat Collection 2, `mask`
            for any band that is 0 where the ground is clear and something else where it is not.
        grid: Full pixel grid; need not be that of the image.
    """

    path: str
    kind: CloudKind
    grid: Grid

    @classmethod
    def open(cls, path: str | Path, kind: str) -> CloudSource:
        """Open the first band of a file as a cloud mask.

        Raises:
            MissingFileError: No such file.
            UnreadableRasterError: GDAL cannot read it.
            CloudMaskError: No such kind, or the values cannot be of that kind.
        """
        if kind not in get_args(CloudKind):
            raise CloudMaskError(
                f"expected a cloud mask of kind {', '.join(get_args(CloudKind))}, got {kind!r}"
            )
        name = str(path)
        with opened(name) as dataset:
            dtype = np.dtype(dataset.dtypes[0]) if dataset.count else None
            words = dtype is not None and dtype.kind in "iu" and dtype.itemsize >= 2
            if dtype is None or dtype.kind not in "iu" or (kind == "qa_pixel" and not words):
                wanted = "16-bit flags" if kind == "qa_pixel" else "whole numbers"
                raise CloudMaskError(
                    f"expected {wanted} in the cloud mask {shown_name(name)} of kind {kind}, "
                    f"got {dtype}; check file and kind"
                )
            grid = Grid(dataset.height, dataset.width, dataset.transform, dataset.crs)
        return cls(name, cast(CloudKind, kind), grid)

    def clear(self, grid: Grid) -> NDArray[np.bool_]:
        """Where the ground of a grid is seen.

        Args:
            grid: Any window of any grid; the mask's nearest pixel counts.

        Returns:
            `(height, width)`; False under clouds and shadows, and where the mask says nothing or
            does not reach.

        Raises:
            GridMismatchError: Only one of mask and grid has a CRS.
            UnreadableRasterError: The pixels are damaged.
            CloudMaskError: Values that this kind of mask does not have.
        """
        if (self.grid.crs is None) != (grid.crs is None):
            bare = "the image has none" if grid.crs is None else "the mask has none"
            raise GridMismatchError(
                f"expected image and cloud mask {shown_name(self.path)} to both have a coordinate "
                f"system, {bare}; assign one, e.g. with gdal_edit -a_srs"
            )
        window = self._window(grid)
        if window is None:
            return np.zeros(grid.shape, dtype=bool)
        codes = self._read(window)
        if self.grid.crs == grid.crs or self._beyond_180:
            found = self._nearest(codes, window, grid)
        else:
            found = np.full(grid.shape, _UNKNOWN, dtype=np.int32)
            reproject(
                codes,
                found,
                src_transform=self.grid.crop(window).transform,
                src_crs=self.grid.crs,
                src_nodata=_UNKNOWN,
                dst_transform=grid.transform,
                dst_crs=grid.crs,
                dst_nodata=_UNKNOWN,
                resampling=Resampling.nearest,
            )
        seen: NDArray[np.bool_] = found != _UNKNOWN
        return seen & clear_codes(found, self.kind)

    @property
    def _beyond_180(self) -> bool:
        """Whether the mask is in degrees and crosses the antimeridian; GDAL then sees half."""
        bounds = self.grid.bounds
        degrees = self.grid.crs is not None and self.grid.crs.is_geographic
        return degrees and (bounds.east > 180 or bounds.west < -180)

    def _nearest(self, codes: NDArray[np.int32], window: Window, grid: Grid) -> NDArray[np.int32]:
        """The code under each pixel's centre, from the codes of a window."""
        cols, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
        there_rows, there_cols = pixel_positions(grid, rows.ravel(), cols.ravel(), self.grid)
        known = np.isfinite(there_cols) & np.isfinite(there_rows)
        col = np.floor(np.where(known, there_cols, -1)).astype(np.int64) - window.col
        row = np.floor(np.where(known, there_rows, -1)).astype(np.int64) - window.row
        height, width = codes.shape
        inside = known & (row >= 0) & (row < height) & (col >= 0) & (col < width)
        found = codes[row.clip(0, height - 1), col.clip(0, width - 1)]
        return np.where(inside, found, np.int32(_UNKNOWN)).reshape(cols.shape)

    def _window(self, grid: Grid) -> Window | None:
        """The part of the mask that the grid's pixels fall on, with a pixel of margin."""
        steps = np.linspace(0.0, 1.0, _EDGE_POINTS)
        cols, rows = (v.ravel() for v in np.meshgrid(steps * grid.width, steps * grid.height))
        there_rows, there_cols = pixel_positions(grid, rows, cols, self.grid)
        known = np.isfinite(there_cols) & np.isfinite(there_rows)
        if not known.any():
            raise CloudMaskError(
                "expected a cloud mask that lies on its image, nothing leads from the coordinate "
                f"system of the one to that of {shown_name(self.path)}; warp it onto the image"
            )
        there_cols, there_rows = there_cols[known], there_rows[known]
        # Between the points sampled, edges of other projections bulge by less than this.
        margin = 2 + math.ceil(0.01 * max(np.ptp(there_cols), np.ptp(there_rows)))
        left = max(0, math.floor(there_cols.min()) - margin)
        top = max(0, math.floor(there_rows.min()) - margin)
        right = min(self.grid.width, math.ceil(there_cols.max()) + margin)
        bottom = min(self.grid.height, math.ceil(there_rows.max()) + margin)
        if right <= left or bottom <= top:
            return None
        return Window(top, left, bottom - top, right - left)

    def _read(self, window: Window) -> NDArray[np.int32]:
        """Codes of a window; pixels that an internal mask or alpha excludes are unknown."""
        part = RasterioWindow(window.col, window.row, window.width, window.height)
        with opened(self.path) as dataset:
            try:
                codes = dataset.read(1, window=part)
                # A stated nodata value is left to the kind: 0 is often stated, and means clear
                # in a mask, no data in SCL. One that is no class of SCL means no data there.
                flags = {flag.name for flag in dataset.mask_flag_enums[0]}
                seen: Any = True
                if flags & {"per_dataset", "alpha"}:
                    seen = dataset.read_masks(1, window=part) > 0
                if self.kind == "scl" and dataset.nodata not in range(_SCL_LAST + 1):
                    seen = seen & (codes != dataset.nodata)
            except READ_ERRORS as err:
                raise UnreadableRasterError(
                    f"expected readable pixels, got damaged data in the cloud mask "
                    f"{shown_name(self.path)}; fetch or export the file again"
                ) from err
        self._check(codes[np.broadcast_to(seen, codes.shape)])
        most = np.iinfo(np.int32).max
        codes = codes.astype(np.int64).clip(-most, most)
        return np.where(seen, codes, _UNKNOWN).astype(np.int32)

    def _check(self, codes: NDArray[Any]) -> None:
        if self.kind == "scl" and codes.size and not 0 <= codes.min() <= codes.max() <= _SCL_LAST:
            raise CloudMaskError(
                f"expected classes of 0 to {_SCL_LAST} in the scene classification "
                f"{shown_name(self.path)}, got {codes.min()} to {codes.max()}; check file and kind"
            )


def clear_codes(codes: NDArray[Any], kind: CloudKind) -> NDArray[np.bool_]:
    """Which codes of a mask mean that the ground is seen; snow and ice are ground.

    Args:
        codes: Whole numbers of any shape.
        kind: As of `CloudSource`.
    """
    if kind == "scl":
        return ~np.isin(codes, _SCL_HIDDEN)
    if kind == "qa_pixel":
        # Every observed pixel has some bit set: clear, water, or a confidence.
        return np.asarray((codes & _QA_HIDDEN == 0) & (codes != 0))
    return np.asarray(codes == 0)
