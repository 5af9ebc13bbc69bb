"""Large files that are stored row by row, made quick to read by windows."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path

import rasterio
from rasterio.shutil import copy

from preprocessing.errors import UnreadableRasterError
from preprocessing.rasters.grid import Window, inside
from preprocessing.rasters.image_source import FileImage, SameGridImage, is_large
from preprocessing.rasters.opening import READ_ERRORS, opened, shown_name
from preprocessing.rasters.raster import Raster

__all__ = ["RowsImage", "quick_windows"]

_TILE_PX = 512
_LAYOUT = {
    "driver": "GTiff",
    "TILED": "YES",
    "BLOCKXSIZE": str(_TILE_PX),
    "BLOCKYSIZE": str(_TILE_PX),
    "BIGTIFF": "IF_SAFER",
}


class RowsImage(SameGridImage):
    """A file of whole rows: any window costs its rows over the full width, each time.

    Once as many rows have been read as the file has, a tiled copy is made and read from then on.
    So the work is never much more than twice the least there is, whether little of the file is
    wanted or all of it several times. The copy is not compressed, and goes with the object.

    Args:
        image: The file.
        folder: Where to keep the copy.
        block_rows: Rows that are stored as one and can only be read together.
        from_top: Whether a window costs all rows above it too.
    """

    def __init__(self, image: FileImage, folder: Path, *, block_rows: int, from_top: bool) -> None:
        self.source: FileImage = image
        self._folder = folder
        self._block_rows = block_rows
        self._from_top = from_top
        self._rows_read = 0
        self._copy: FileImage | None = None

    def read(self, window: Window, /) -> Raster:
        """Read from the file or its copy.

        Raises:
            UnreadableRasterError: The pixels are damaged, or there is no room for the copy.
        """
        if self._copy is None:
            self._rows_read += self._cost(window)
            if self._rows_read > self.grid.height:
                self._copy = self._copied()
        if self._copy is None:
            return self.source.read(window)
        return replace(self._copy.read(window), name=self.name)

    def _cost(self, window: Window) -> int:
        """Rows to decode for a window."""
        part = inside(window, self.grid)
        if part is None:
            return 0
        size = self._block_rows
        first = 0 if self._from_top else part.row // size
        last = -(-(part.row + part.height) // size)
        return (last - first) * size

    def _copied(self) -> FileImage:
        source = self.source.source
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=".landcast-", suffix=".tmp", dir=self._folder)
        remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = Path(folder) / "tiled.tif"
        try:
            with opened(source.path) as dataset, rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                copy(dataset, path, strict=False, **_LAYOUT)
        except READ_ERRORS as err:
            remove()
            shown = shown_name(source.path)
            raise UnreadableRasterError(
                f"expected readable pixels in {shown} and room for a tiled copy of it in "
                f"{self._folder}, got {str(err).replace(source.path, shown)}; fetch or export the "
                "file again, in tiles if you can, or free disk space"
            ) from err
        return FileImage(replace(source, path=str(path)), self.date)


def quick_windows(image: FileImage, folder: Path) -> FileImage | RowsImage:
    """The image itself if it is small or stored in blocks, else a `RowsImage`.

    Args:
        image: A file.
        folder: Where to keep a copy.
    """
    if not is_large(image.grid):
        return image
    with opened(image.source.path) as dataset:
        rows, cols = dataset.block_shapes[0]
        # A GeoTIFF states one nodata value for all bands.
        copyable = len({str(value) for value in dataset.nodatavals}) == 1
        if cols < image.grid.width or not copyable:
            return image
        return RowsImage(image, folder, block_rows=rows, from_top=dataset.driver != "GTiff")
