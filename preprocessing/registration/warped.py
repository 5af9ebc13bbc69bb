"""An image on another grid, resampled once and only where it is read."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject
from scipy.ndimage import map_coordinates

from preprocessing.rasters.grid import Grid, Window, inside, pixel_positions
from preprocessing.rasters.image_source import DerivedImage, ImageSource
from preprocessing.rasters.raster import Raster
from preprocessing.registration.common_grid import lattice_offset, near_longitudes
from preprocessing.registration.shift import NOT_MOVED, Shift, ShiftedImage
from preprocessing.registration.shift_field import ShiftField

__all__ = ["WarpedImage"]

_MOST_PX = 12 * 2**20
"""Source pixels read at once (150 MB); windows that need more are done in parts."""

_LEAST_SIDE = 16
_TOLERANCE_PX = 0.01
_FINER = 1.25  # From here on a source is smoothed before its pixels are picked.
_STEP_PX = 16  # Between points whose position is computed exactly; a map is straight in between.
_ANY_CRS = CRS.from_epsg(3857)  # GDAL wants one; the same on both sides, it changes nothing.


@dataclass(frozen=True)
class WarpedImage(DerivedImage):
    """An image of any CRS, resolution, rotation and extent, seen on a grid.

    GDAL's warper resamples once with cubic convolution, widened where the source is finer, and
    ignores invalid pixels. An image that is already on the grid's pixels is not resampled. With a
    field of shifts, each pixel is picked at its own position by OpenCV's cubic convolution.

    Attributes:
        source: The image.
        grid: The grid to see it on.
        shift: Correction in pixels of `grid`, done in the same resampling.
        field: Further correction that depends on the place, done in the same resampling.
        placed: Where the image lies, if not on its own grid.
    """

    source: ImageSource
    grid: Grid
    shift: Shift = NOT_MOVED
    field: ShiftField | None = None
    placed: Grid | None = None

    def read(self, window: Window, /) -> Raster:
        """Resample a window; what the image does not reach is invalid."""
        if self._offset is not None and self.field is None:
            down, right = self._offset
            shifted = ShiftedImage(self.source, self.shift)
            part = Window(window.row + down, window.col + right, window.height, window.width)
            return replace(shifted.read(part), grid=self.grid.crop(window))
        box = self._source_box(window)
        if box is None:
            return self._nothing(window)
        if box.height * box.width > _MOST_PX and max(window.shape) >= 2 * _LEAST_SIDE:
            return self._in_parts(window)
        part_raster = self.source.read(box)
        source = np.where(part_raster.valid, part_raster.data, np.float32(np.nan))
        resample = self._by_gdal if self.field is None else self._by_positions
        values = resample(source, box, window)
        valid = np.asarray(np.isfinite(values).all(axis=0))
        return replace(
            part_raster,
            data=np.where(valid, values, np.float32(0)),
            grid=self.grid.crop(window),
            valid=valid,
        )

    @functools.cached_property
    def _from(self) -> Grid:
        """Where the source lies."""
        return near_longitudes(self.placed or self.source.grid, self.grid)

    @functools.cached_property
    def _offset(self) -> tuple[int, int] | None:
        return lattice_offset(self.grid, self._from)

    @functools.cached_property
    def _scale(self) -> tuple[float, float]:
        """Source pixels per pixel of the grid in the middle of it, along source rows and columns.

        The same for all windows, so that they join: GDAL would find its own for each.
        """
        row, col = self.grid.height / 2, self.grid.width / 2
        rows, cols = pixel_positions(
            self.grid,
            np.array([row, row + 1, row]),
            np.array([col, col, col + 1]),
            self._from,
        )
        down = math.hypot(rows[1] - rows[0], rows[2] - rows[0])
        right = math.hypot(cols[1] - cols[0], cols[2] - cols[0])
        if not (math.isfinite(down) and math.isfinite(right)):
            return 1.0, 1.0
        return max(down, 1.0), max(right, 1.0)

    def _source_box(self, window: Window) -> Window | None:
        """The source pixels that a window is made of, margin included."""
        rows, cols = self._positions(window, 17)
        known = np.isfinite(rows) & np.isfinite(cols)
        if not known.any():
            return None
        margin = 3 * np.array(self._scale) + 4
        if self.field is not None:
            margin = margin + self.field.longest_px * np.array(self._scale)
        rows, cols = rows[known], cols[known]
        top, bottom = math.floor(rows.min() - margin[0]), math.ceil(rows.max() + margin[0])
        left, right = math.floor(cols.min() - margin[1]), math.ceil(cols.max() + margin[1])
        return inside(Window(top, left, bottom - top, right - left), self._from)

    def _positions(
        self, window: Window, points: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where a net of points over a window lies in the source, without the field."""
        rows = window.row + np.linspace(0.0, window.height, points) - self.shift.dy_px
        cols = window.col + np.linspace(0.0, window.width, points) - self.shift.dx_px
        mesh = np.meshgrid(rows, cols, indexing="ij")
        return pixel_positions(self.grid, mesh[0], mesh[1], self._from)

    def _in_parts(self, window: Window) -> Raster:
        """Both halves of a window, put together."""
        tall = window.height >= window.width
        half = (window.height if tall else window.width) // 2
        if tall:
            first = replace(window, height=half)
            second = replace(window, row=window.row + half, height=window.height - half)
        else:
            first = replace(window, width=half)
            second = replace(window, col=window.col + half, width=window.width - half)
        parts = [self.read(first), self.read(second)]
        axis = -2 if tall else -1
        return replace(
            parts[0],
            data=np.concatenate([part.data for part in parts], axis=axis),
            valid=np.concatenate([part.valid for part in parts], axis=axis),
            grid=self.grid.crop(window),
        )

    def _nothing(self, window: Window) -> Raster:
        return replace(
            self.source.read(Window(-1, -1, 1, 1)),
            data=np.zeros((3, *window.shape), np.float32),
            valid=np.zeros(window.shape, bool),
            grid=self.grid.crop(window),
        )

    def _by_gdal(
        self, source: NDArray[np.float32], box: Window, window: Window
    ) -> NDArray[np.float32]:
        """Pixels are moved by sampling a grid that is moved the other way."""
        moved = Affine.translation(-self.shift.dx_px, -self.shift.dy_px)
        target: NDArray[np.float32] = np.full(
            (len(source), *window.shape), np.nan, dtype=np.float32
        )
        down, right = self._scale
        reproject(
            source,
            target,
            src_transform=self._from.crop(box).transform,
            src_crs=self._from.crs or _ANY_CRS,
            src_nodata=np.nan,
            dst_transform=self.grid.crop(window).transform @ moved,
            dst_crs=self.grid.crs or _ANY_CRS,
            dst_nodata=np.nan,
            resampling=Resampling.cubic,
            init_dest_nodata=True,
            tolerance=_TOLERANCE_PX,
            XSCALE=1 / right,
            YSCALE=1 / down,
        )
        return target

    def _by_positions(
        self, source: NDArray[np.float32], box: Window, window: Window
    ) -> NDArray[np.float32]:
        """Pick each pixel's value at its own position in the source."""
        rows, cols = self._pixel_positions(window)
        rows -= box.row + 0.5  # From edges of pixels to their middles.
        cols -= box.col + 0.5
        sigmas = [0.5 * math.sqrt(s**2 - 1) if s > _FINER else 0.0 for s in self._scale]
        planes = []
        for plane in source:
            if max(sigmas) > 0:
                sizes = [2 * math.ceil(2 * sigma) + 1 for sigma in sigmas]
                plane = cv2.GaussianBlur(
                    plane, (sizes[1], sizes[0]), sigmas[1] or 1e-3, sigmaY=sigmas[0] or 1e-3
                )
            planes.append(
                cv2.remap(
                    plane,
                    cols.astype(np.float32),
                    rows.astype(np.float32),
                    cv2.INTER_CUBIC,
                    borderMode=cv2.BORDER_CONSTANT,
                    borderValue=np.nan,
                )
            )
        return np.stack(planes)

    def _pixel_positions(self, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Source row and column of every pixel's middle, each `(h, w)`, from the upper edge."""
        rows = np.arange(window.height, dtype=np.float64)[:, None] + (0.5 - self.shift.dy_px)
        cols = np.arange(window.width, dtype=np.float64)[None, :] + (0.5 - self.shift.dx_px)
        if self.field is not None:
            dy, dx = self.field.at(window)
            rows, cols = rows - dy, cols - dx
        rows, cols = np.broadcast_arrays(rows, cols)
        if self._from.crs == self.grid.crs:
            return pixel_positions(self.grid, rows + window.row, cols + window.col, self._from)
        # Exact on a net of points, straight in between; the net reaches as far as the shifts do.
        low_r, low_c = math.floor(rows.min()) - 1, math.floor(cols.min()) - 1
        net_r = np.arange(low_r, math.ceil(rows.max()) + _STEP_PX + 1, _STEP_PX, dtype=float)
        net_c = np.arange(low_c, math.ceil(cols.max()) + _STEP_PX + 1, _STEP_PX, dtype=float)
        mesh = np.meshgrid(net_r + window.row, net_c + window.col, indexing="ij")
        net = pixel_positions(self.grid, mesh[0], mesh[1], self._from)
        index = np.stack([(rows - low_r) / _STEP_PX, (cols - low_c) / _STEP_PX])
        there = [map_coordinates(values, index, order=1, mode="nearest") for values in net]
        return there[0], there[1]
