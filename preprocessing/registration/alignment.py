"""Two rasters onto one pixel grid: the earlier one's, cut to the ground both cover."""

from __future__ import annotations

from preprocessing.rasters.grid import Grid, whole
from preprocessing.rasters.image_source import HeldImage, ImageSource
from preprocessing.rasters.raster import Raster
from preprocessing.registration.common_grid import common_grid, no_overlap
from preprocessing.registration.shift import NOT_MOVED, Shift
from preprocessing.registration.warped import WarpedImage

__all__ = ["align", "lay_over"]


def align(earlier: Raster, later: Raster, *, shift: Shift = NOT_MOVED) -> tuple[Raster, Raster]:
    """Lay the later raster on the earlier one's grid and cut both to the common ground.

    CRS, resolution, rotation and extent may all differ; see `WarpedImage` for the resampling.

    Args:
        earlier: Raster of shape `(c, h, w)`; its grid is kept.
        later: Raster to resample. If neither has a CRS, both must have the same size and are
            taken to lie on one grid.
        shift: Correction of `later` in pixels of the earlier grid, from `estimate_shift`; done in
            the same resampling.

    Returns:
        Both rasters on the same grid; either may hold invalid pixels.

    Raises:
        GridMismatchError: Only one raster has a CRS, or neither has and the sizes differ.
        NoOverlapError: The rasters share no observed ground.
    """
    images = HeldImage(earlier), HeldImage(later)
    grid = common_grid(*images)
    first, second = (image.read(whole(grid)) for image in lay_over(*images, grid, shift=shift))
    if not (first.valid & second.valid).any():
        raise no_overlap(*images)
    return first, second


def lay_over(
    earlier: ImageSource,
    later: ImageSource,
    grid: Grid,
    *,
    shift: Shift = NOT_MOVED,
) -> tuple[WarpedImage, WarpedImage]:
    """Both images on a grid from `common_grid`, still to be read window by window.

    Args:
        earlier: Image of any size.
        later: Image of the same place.
        grid: Where to lay them.
        shift: Correction of `later` in pixels of `grid`.
    """
    placed = earlier.grid if later.grid.crs is None else None
    return (
        WarpedImage(earlier, grid),
        WarpedImage(later, grid, shift=shift, placed=placed),
    )
