"""Two rasters onto one pixel grid: the earlier one's, cut to the ground both cover."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform

from preprocessing.coregister import Shift, apply_shift
from preprocessing.errors import GridMismatchError, NoOverlapError
from preprocessing.grid import Grid, Window
from preprocessing.raster import Raster

__all__ = ["align"]

_EDGE_POINTS = 21
_NOT_MOVED = Shift(0.0, 0.0)


def align(
    earlier: Raster, later: Raster, *, shift: Shift = _NOT_MOVED, cubic: bool = True
) -> tuple[Raster, Raster]:
    """Lay the later raster on the earlier one's grid and cut both to the common ground.

    CRS, resolution, rotation and extent may all differ; GDAL's warper resamples once (cubic
    convolution, widened where the later raster is finer) and ignores invalid pixels. A raster
    that is already on the grid is not resampled.

    Args:
        earlier: Raster of shape `(c, h, w)`; its grid is kept.
        later: Raster to resample. If neither has a CRS, both must have the same size and are
            taken to lie on one grid.
        shift: Correction of `later` in pixels of the earlier grid, from `estimate_shift`; done in
            the same resampling.
        cubic: Cubic convolution; False for bilinear, which does not overshoot.

    Returns:
        Both rasters on the same grid; either may hold invalid pixels.

    Raises:
        GridMismatchError: Only one raster has a CRS, or neither has and the sizes differ.
        NoOverlapError: The rasters share no observed ground.
    """
    if earlier.grid.crs is None or later.grid.crs is None:
        _check_ungeoreferenced(earlier, later)
        later = replace(later, grid=earlier.grid)
        window = Window(0, 0, earlier.grid.height, earlier.grid.width)
    else:
        window = _common_window(earlier, later)
    first = earlier.crop(window)
    if later.grid.same_as(first.grid):
        second = replace(later, grid=first.grid)
        if shift.length_px > 0:
            second = apply_shift(second, shift)
    else:
        second = _warp(later, first.grid, shift, cubic)
    if not (first.valid & second.valid).any():
        raise _no_overlap(earlier, later)
    return first, second


def _check_ungeoreferenced(earlier: Raster, later: Raster) -> None:
    if (earlier.grid.crs is None) != (later.grid.crs is None):
        bare, other = (earlier, later) if earlier.grid.crs is None else (later, earlier)
        raise GridMismatchError(
            f"expected both rasters to have a coordinate system, {bare.name} has none "
            f"({other.name} has); assign one, e.g. with gdal_edit -a_srs"
        )
    if earlier.valid.shape != later.valid.shape:
        raise GridMismatchError(
            f"expected images without georeference to have one size, got {earlier.name} "
            f"{earlier.valid.shape} and {later.name} {later.valid.shape} (rows, columns); "
            "crop them to the same ground"
        )


def _common_window(earlier: Raster, later: Raster) -> Window:
    """The window of the earlier grid that the later raster's outline reaches."""
    grid, other = earlier.grid, later.grid
    ends = np.linspace(0.0, 1.0, _EDGE_POINTS)
    cols = np.concatenate([ends, ends, np.zeros_like(ends), np.ones_like(ends)]) * other.width
    rows = np.concatenate([np.zeros_like(ends), np.ones_like(ends), ends, ends]) * other.height
    xs, ys = _map(other.transform, cols, rows)
    if other.crs != grid.crs:
        xs, ys = (np.asarray(v) for v in transform(other.crs, grid.crs, list(xs), list(ys)))
    there_col, there_row = _map(~grid.transform, xs, ys)
    known = np.isfinite(there_col) & np.isfinite(there_row)
    if not known.any():
        raise _no_overlap(earlier, later)
    top, left = (max(0, math.floor(v[known].min() + 1e-3)) for v in (there_row, there_col))
    bottom = min(grid.height, math.ceil(there_row[known].max() - 1e-3))
    right = min(grid.width, math.ceil(there_col[known].max() - 1e-3))
    if bottom <= top or right <= left:
        raise _no_overlap(earlier, later)
    return Window(top, left, bottom - top, right - left)


def _map(
    affine: Affine, cols: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Apply an affine transform to many points."""
    return (
        affine.a * cols + affine.b * rows + affine.c,
        affine.d * cols + affine.e * rows + affine.f,
    )


def _warp(later: Raster, grid: Grid, shift: Shift, cubic: bool) -> Raster:
    """Resample onto `grid`; pixels are moved by sampling a grid that is moved the other way."""
    sampled = grid.transform @ Affine.translation(-shift.dx_px, -shift.dy_px)
    source = np.where(later.valid, later.data, np.float32(np.nan))
    target: NDArray[np.float32] = np.full(
        (len(later.data), grid.height, grid.width), np.nan, dtype=np.float32
    )
    reproject(
        source,
        target,
        src_transform=later.grid.transform,
        src_crs=later.grid.crs,
        src_nodata=np.nan,
        dst_transform=sampled,
        dst_crs=grid.crs,
        dst_nodata=np.nan,
        resampling=Resampling.cubic if cubic else Resampling.bilinear,
        init_dest_nodata=True,
    )
    valid = np.asarray(np.isfinite(target).all(axis=0))
    return replace(later, data=np.where(valid, target, np.float32(0)), grid=grid, valid=valid)


def _no_overlap(earlier: Raster, later: Raster) -> NoOverlapError:
    def place(raster: Raster) -> str:
        box = ", ".join(f"{v:.6g}" for v in raster.grid.bounds)
        return f"{raster.name} ({box}, {raster.grid.crs})"

    return NoOverlapError(
        f"expected two images of one place, {place(earlier)} and {place(later)} share no observed "
        "ground; check the files and their coordinate systems"
    )
