"""The grid on which two images are laid over each other: planned from their grids alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from affine import Affine

from preprocessing.errors import GridMismatchError, NoOverlapError
from preprocessing.rasters.grid import Grid, Window, middle_longitude, pixel_positions, whole
from preprocessing.rasters.image_source import ImageSource

__all__ = ["common_grid", "lattice_offset", "near_longitudes", "no_overlap"]

_EDGE_POINTS = 21
_TOLERANCE_PX = 1e-3


def common_grid(
    earlier: ImageSource,
    later: ImageSource,
    *,
    gsd_m: float | None = None,
    stated_gsd_m: float = math.nan,
) -> Grid:
    """The earlier image's grid, or the same at other metres per pixel, cut to the common ground.

    Args:
        earlier: Image whose grid is kept: CRS, rotation and direction of its axes.
        later: Image of the same place. If neither has a CRS, both must have the same size and are
            taken to lie on one grid.
        gsd_m: Metres per pixel of the result; default those of `earlier`.
        stated_gsd_m: Metres per pixel of `earlier` where it has no CRS.

    Raises:
        GridMismatchError: Only one image has a CRS, or neither has and the sizes differ, or the
            metres per pixel are not known.
        NoOverlapError: The outlines share no ground.
    """
    bare = earlier.grid.crs is None or later.grid.crs is None
    if bare:
        _check_ungeoreferenced(earlier, later)
    base = earlier.grid
    if gsd_m is not None:
        own = base.gsd_m or stated_gsd_m
        if not own > 0:
            raise GridMismatchError(
                f"expected the metres per pixel of {earlier.name} to resample it to {gsd_m:g} m, "
                "it has no coordinate system; assign one, e.g. with gdal_edit -a_srs"
            )
        if abs(own / gsd_m - 1) > 1e-6:
            base = base.scaled(own / gsd_m)
    return base if bare else base.crop(_common_window(base, earlier, later))


def near_longitudes(grid: Grid, other: Grid) -> Grid:
    """`grid` moved by whole turns of longitude to lie near `other`, if both are in degrees."""
    if grid.crs is None or grid.crs != other.crs or not grid.crs.is_geographic:
        return grid
    turns = round((middle_longitude(other) - middle_longitude(grid)) / 360)
    if turns == 0:
        return grid
    return replace(grid, transform=Affine.translation(360 * turns, 0) @ grid.transform)


def lattice_offset(grid: Grid, other: Grid) -> tuple[int, int] | None:
    """Row and column of `other` at which `grid` starts, if they share CRS and pixels; else None."""
    if grid.crs != other.crs:
        return None
    rows = np.array([0.0, 0.0, grid.height, grid.height])
    cols = np.array([0.0, grid.width, 0.0, grid.width])
    there_rows, there_cols = pixel_positions(grid, rows, cols, other)
    down, right = there_rows - rows, there_cols - cols
    offset = (round(float(down.mean())), round(float(right.mean())))
    if np.abs([down - offset[0], right - offset[1]]).max() > _TOLERANCE_PX:
        return None
    return offset


def no_overlap(earlier: ImageSource, later: ImageSource) -> NoOverlapError:
    """The error for two images without common ground."""

    def place(image: ImageSource) -> str:
        box = ", ".join(f"{v:.6g}" for v in image.grid.bounds)
        return f"{image.name} ({box}, {image.grid.crs})"

    return NoOverlapError(
        f"expected two images of one place, {place(earlier)} and {place(later)} share no observed "
        "ground; check the files and their coordinate systems"
    )


def _check_ungeoreferenced(earlier: ImageSource, later: ImageSource) -> None:
    if (earlier.grid.crs is None) != (later.grid.crs is None):
        bare, other = (earlier, later) if earlier.grid.crs is None else (later, earlier)
        raise GridMismatchError(
            f"expected both rasters to have a coordinate system, {bare.name} has none "
            f"({other.name} has); assign one, e.g. with gdal_edit -a_srs"
        )
    sizes = [image.grid.shape for image in (earlier, later)]
    if sizes[0] != sizes[1]:
        raise GridMismatchError(
            f"expected images without georeference to have one size, got {earlier.name} "
            f"{sizes[0]} and {later.name} {sizes[1]} (rows, columns); crop them to the same ground"
        )


def _common_window(grid: Grid, earlier: ImageSource, later: ImageSource) -> Window:
    """The window of `grid` that the later image's outline reaches."""
    other = later.grid
    ends = np.linspace(0.0, 1.0, _EDGE_POINTS)
    cols = np.concatenate([ends, ends, np.zeros_like(ends), np.ones_like(ends)]) * other.width
    rows = np.concatenate([np.zeros_like(ends), np.ones_like(ends), ends, ends]) * other.height
    there_rows, there_cols = pixel_positions(other, rows, cols, grid)
    known = np.isfinite(there_rows) & np.isfinite(there_cols)
    if not known.any():
        raise no_overlap(earlier, later)
    limits = whole(grid)
    slack = _TOLERANCE_PX
    top, left = (max(0, math.floor(v[known].min() + slack)) for v in (there_rows, there_cols))
    bottom = min(limits.height, math.ceil(there_rows[known].max() - slack))
    right = min(limits.width, math.ceil(there_cols[known].max() - slack))
    if bottom <= top or right <= left:
        raise no_overlap(earlier, later)
    return Window(top, left, bottom - top, right - left)
