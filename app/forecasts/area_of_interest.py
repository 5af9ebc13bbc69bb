"""The part of a region that a forecast is asked for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecast.region.images import DatedImages
from preprocessing.areas.polygons import box_polygon, covered, pixel_window, read_polygons
from preprocessing.rasters.grid import Window
from preprocessing.running.disk_space import Zeros
from preprocessing.tiles.cells import CELL

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["AreaOfInterest"]


@dataclass(frozen=True)
class AreaOfInterest:
    """Polygons on the start of a forecast, and the window that holds them and their surroundings.

    Attributes:
        polygons: In the coordinate system of the start.
        window: Pixels of the start that are forecast.
        told: Pixels of the window that results hold, from a whole cell on.
    """

    polygons: GeoDataFrame
    window: Window
    told: Window

    @classmethod
    def of(
        cls,
        images: DatedImages,
        *,
        bbox: tuple[float, float, float, float] | None,
        aoi: Path | None,
        halo: int,
    ) -> AreaOfInterest | None:
        """From a box in degrees or a file of polygons; None where neither is given.

        Args:
            images: Start and history.
            bbox: West, south, east, north.
            aoi: The file.
            halo: Pixels around the polygons that are forecast with them.

        Raises:
            RequestError: See `read_polygons`.
        """
        grid = images.start.grid
        if bbox is not None:
            polygons = box_polygon(bbox, grid)
        elif aoi is not None:
            polygons = read_polygons(aoi, grid)
        else:
            return None
        window = pixel_window(polygons, grid, margin=halo, step=CELL)
        told = pixel_window(polygons, grid, step=CELL)
        return cls(polygons, window, told.within(window))

    @property
    def sha256(self) -> str:
        """Of the polygons."""
        parts = [geometry.wkb for geometry in self.polygons.geometry]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def cut(self, images: DatedImages) -> DatedImages:
        """The images with the window as their start; earlier ones are laid over it."""
        return replace(images, start=images.start.part(self.window))

    def within(
        self, images: DatedImages, valid: NDArray[np.bool_], *, zeros: Zeros = np.zeros
    ) -> NDArray[np.bool_]:
        """Pixels `(h, w)` of cut images that were seen and lie in the polygons."""
        return covered(self.polygons, images.start.grid, valid, zeros=zeros)
