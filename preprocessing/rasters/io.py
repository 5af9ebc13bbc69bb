"""Reading rasters: any GDAL source in, unit values on their grid out.

`write_cog` of `preprocessing.rasters.cog` is exported here too, so that this module holds all
reading and writing.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RasterioWindow

from preprocessing.errors import NoValidPixelsError, UnreadableRasterError
from preprocessing.rasters.band_choice import choose_bands, data_bands
from preprocessing.rasters.band_metadata import BandMetadata
from preprocessing.rasters.cog import BLOCK_PX, write_cog
from preprocessing.rasters.dates import (
    date_from_creation,
    date_from_name,
    date_from_stac,
    date_from_tags,
)
from preprocessing.rasters.grid import Grid, Window, inside, whole
from preprocessing.rasters.missing_ground import BlackCollar, UnwrittenBlocks
from preprocessing.rasters.opening import READ_ERRORS, is_local, opened, shown_name, understood
from preprocessing.rasters.orientation import UPRIGHT, orientation_of, stored_window, turned
from preprocessing.rasters.raster import Encoding, Raster
from preprocessing.rasters.sensors import sensor_profile
from preprocessing.rasters.stored_values import find_encoding, read_valid
from preprocessing.running.counted import counted

_log = logging.getLogger(__name__)
__all__ = ["RasterSource", "blocks", "read_raster", "write_cog"]


@dataclass(frozen=True)
class RasterSource:
    """A raster that was opened and understood, but not read.

    Attributes:
        path: File path or anything GDAL opens.
        grid: Full pixel grid, upright.
        bands: One-based indexes of red, green, blue, or of all bands that were asked for.
        encoding: Stored type, value range and nodata.
        date: Acquisition date, or None if neither metadata nor name says it.
        orientation: How its pixels are to be turned, see `preprocessing.rasters.orientation`.
        unwritten: Blocks of the file that are not there, if any.
        collar: Black filling around the image, if any.
        metadata: What the file says of these bands.
        window: The pixels of the file that this is, upright; all of them where None.
        size: Rows and columns of the file, where it is a window.
    """

    path: str
    grid: Grid
    bands: tuple[int, ...]
    encoding: Encoding
    date: dt.date | None
    orientation: int = UPRIGHT
    unwritten: UnwrittenBlocks | None = None
    collar: BlackCollar | None = field(default=None, compare=False)
    metadata: BandMetadata | None = None
    window: Window | None = None
    size: tuple[int, int] | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        bands: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
        year: int | None = None,
        sensor: str | None = None,
        every_band: bool = False,
    ) -> RasterSource:
        """Open a raster and find its bands, value range, nodata and date.

        Args:
            path: File, URL (`http(s)://`, `s3://`) or GDAL path.
            bands: One-based indexes of red, green and blue; found by colour interpretation or
                description where not given, else the first three.
            value_range: Stored values that mean 0 and 1. Known for uint8 (0..255); other types
                must state it here, by `sensor` or in the file (`VALUE_RANGE` metadata:
                `low,high`).
            year: Overrides the date found in the file.
            sensor: Name of a profile in `preprocessing.rasters.sensors`: band names, value range
                and nodata of the product, where neither the file nor another argument states them.
            every_band: Take all bands but alpha, in the file's order, instead of three.

        Raises:
            MissingFileError: No such file.
            UnreadableRasterError: GDAL cannot read it, or it has no regular grid.
            BandError: Fewer than three bands, or an index that does not exist.
            ValueRangeError: The range is not known for this type, or there is no such sensor.
            DateError: The name holds several years and `year` is not given.
        """
        name = str(path)
        shown = shown_name(name)
        profile = None if sensor is None else sensor_profile(sensor)
        with opened(name) as dataset, understood(shown):
            orientation = orientation_of(dataset, name)
            grid = _grid(dataset, shown, orientation)
            chosen = (
                data_bands(dataset, shown)
                if every_band
                else choose_bands(dataset, bands, profile, shown)
            )
            encoding = find_encoding(dataset, chosen, value_range, profile, shown)
            unwritten = UnwrittenBlocks.of(dataset, name)
            metadata = BandMetadata.of(dataset, chosen)
            tags = {**dataset.tags(), **dataset.tags(ns="IMAGERY")}
            # Last: what GDAL says of damaged pixels would be taken for an error of what follows.
            collar = None if unwritten is not None else BlackCollar.of(dataset, chosen, encoding)
        if unwritten is not None:
            encoding = replace(encoding, masked=True)
            _log.warning(
                "%s: %s never written, taken for missing ground, not for black",
                shown,
                counted(len(unwritten.blocks), "block"),
            )
        if collar is not None:
            encoding = replace(encoding, masked=True)
            _log.warning(
                "%s: black filling around the image (about %.0f %% of it) is taken for missing "
                "ground, not for black",
                shown,
                100 * collar.share,
            )
        date = _date(name, tags) if year is None else dt.date(year, 1, 1)
        return cls(name, grid, chosen, encoding, date, orientation, unwritten, collar, metadata)

    @property
    def name(self) -> str:
        """What to call it in messages: the file name."""
        return Path(shown_name(self.path)).name

    def part(self, window: Window) -> RasterSource:
        """A window of it, which lies inside, as a raster of its own."""
        all_ = self.window or whole(self.grid)
        there = Window(all_.row + window.row, all_.col + window.col, window.height, window.width)
        size = self.size or (self.grid.height, self.grid.width)
        return replace(self, grid=self.grid.crop(window), window=there, size=size)

    def read(self, window: Window | None = None) -> Raster:
        """Read a window (default: everything); parts beyond the raster are invalid.

        Raises:
            UnreadableRasterError: The pixels are damaged.
        """
        with self.reading() as read:
            return read(window)

    def read_stored(self, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read the stored values `(c, h, w)` of a window, and where they are observations.

        Raises:
            UnreadableRasterError: The pixels are damaged.
        """
        with opened(self.path) as dataset:
            return self._stored(dataset, window)

    @contextmanager
    def reading(self) -> Iterator[Callable[[Window | None], Raster]]:
        """Keep the file open for many windows: yields a function like `read`, for one thread."""
        with opened(self.path) as dataset:
            yield partial(self._read, dataset)

    def _read(self, dataset: Any, window: Window | None = None) -> Raster:
        window = window or whole(self.grid)
        stored, valid = self._stored(dataset, window)
        if stored.dtype.kind == "f":
            stored = np.where(valid, stored, stored.dtype.type(self.encoding.low))
        return Raster(
            self.encoding.decode(stored),
            self.grid.crop(window),
            valid,
            self.encoding,
            self.date,
            self.name,
        )

    def _stored(self, dataset: Any, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        stored = np.zeros((len(self.bands), window.height, window.width), dtype=self.encoding.dtype)
        valid = np.zeros((window.height, window.width), dtype=bool)
        here = inside(window, self.grid)
        if here is not None:
            part = self._in_file(here)
            rows, cols = here.within(window).slices
            try:
                seen = dataset.read(self.bands, window=part)
                there = read_valid(dataset, self.bands, seen, part, self.encoding)
                of_file = Window(part.row_off, part.col_off, part.height, part.width)
                if self.unwritten is not None:
                    self.unwritten.clear(there, of_file)
                if self.collar is not None:
                    self.collar.clear(there, seen, of_file)
            except READ_ERRORS as err:
                shown = shown_name(self.path)
                raise UnreadableRasterError(
                    f"expected readable pixels, got damaged data in {shown} "
                    f"({str(err).replace(self.path, shown)}); fetch or export the file again"
                ) from err
            stored[:, rows, cols] = turned(seen, self.orientation)
            valid[rows, cols] = turned(there, self.orientation)
        return stored, valid

    def read_band(self, dataset: Any, index: int, window: Window) -> NDArray[Any]:
        """Stored values `(h, w)` of any band of the open file, of a window that lies inside."""
        return turned(dataset.read(index, window=self._in_file(window)), self.orientation)

    def _in_file(self, window: Window) -> RasterioWindow:
        height, width = self.size or (self.grid.height, self.grid.width)
        if self.window is not None:
            window = Window(
                window.row + self.window.row,
                window.col + self.window.col,
                window.height,
                window.width,
            )
        part = stored_window(window, self.orientation, height=height, width=width)
        return RasterioWindow(part.col, part.row, part.width, part.height)


def read_raster(
    path: str | Path,
    *,
    bands: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
    year: int | None = None,
    sensor: str | None = None,
) -> Raster:
    """Read a whole raster; see `RasterSource.open` for arguments and errors.

    Raises:
        NoValidPixelsError: Every pixel is nodata.
    """
    source = RasterSource.open(path, bands=bands, value_range=value_range, year=year, sensor=sensor)
    raster = source.read()
    if not raster.valid.any():
        raise NoValidPixelsError(
            f"expected an image, every pixel of {shown_name(source.path)} is nodata or masked"
        )
    return raster


def blocks(grid: Grid, *, size: int = BLOCK_PX) -> list[Window]:
    """Windows of at most `size` pixels that cover the grid once, row by row."""
    return [
        Window(row, col, min(size, grid.height - row), min(size, grid.width - col))
        for row in range(0, grid.height, size)
        for col in range(0, grid.width, size)
    ]


def _grid(dataset: Any, name: str, orientation: int) -> Grid:
    if dataset.count == 0:
        raise UnreadableRasterError(
            f"expected a raster, {name} is a container of "
            f"{len(dataset.subdatasets)} subdatasets; name one of them"
        )
    if dataset.crs is None and dataset.gcps[0]:
        raise UnreadableRasterError(
            f"expected a raster on a regular grid, {name} has only ground control points; "
            "warp it first, e.g. with gdalwarp -t_srs"
        )
    if dataset.crs is None and dataset.transform.is_identity and dataset.rpcs is not None:
        raise UnreadableRasterError(
            f"expected a raster on a regular grid, {name} has only RPC coefficients; "
            "orthorectify it first, e.g. with gdalwarp -rpc -t_srs"
        )
    if dataset.transform.determinant == 0:
        raise UnreadableRasterError(
            f"expected pixels with an area, {name} has the transform "
            f"{tuple(dataset.transform)[:6]}; georeference it again"
        )
    crs = dataset.crs
    if crs is not None and dataset.transform.is_identity:
        _log.warning(
            "%s states a CRS but no position (no transform): taken for ungeoreferenced", name
        )
        crs = None
    height, width = dataset.height, dataset.width
    if orientation > 4:  # on its side
        height, width = width, height
    return Grid(height, width, dataset.transform, crs)


def _date(name: str, tags: dict[str, str]) -> dt.date | None:
    """Date that the file states, or a STAC item beside it, or its name; else when it was made."""
    stated = date_from_tags(tags)
    if stated is None and is_local(name):
        stated = date_from_stac(name)
    return stated or date_from_name(shown_name(name)) or date_from_creation(tags)
