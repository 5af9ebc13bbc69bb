"""Upscaling a georeferenced raster of any size and number of bands to a COG."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError, RequestError
from preprocessing.masks.filling import fill_invalid
from preprocessing.rasters.band_choice import alpha_bands
from preprocessing.rasters.band_metadata import BandMetadata
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import RasterSource, blocks, write_cog
from preprocessing.rasters.opening import opened
from preprocessing.rasters.raster import Raster
from preprocessing.running.progress import Progress, untold
from sr.network.band_inference import Layer, upscale_layers
from sr.upscale.bands import Upscaler
from sr.upscale.maps import write_maps
from sr.upscale.raw_raster import RawRaster
from sr.upscale.tiled import Reader

__all__ = ["RasterJob"]

_TIFF = (".tif", ".tiff")
_CACHE_BYTES = 256 << 20  # GDAL's own default is a share of the machine's memory
_OF_THE_FILE = ("AREA_OR_POINT", "OVR_RESAMPLING_ALG", "LAYOUT", "EXIF_Orientation")


class RasterJob:
    """A raster to upscale, opened and understood when made, read window by window.

    Args:
        path: Raster file or address.
        out: The result, a `.tif`.
        upscaler: The network.
        value_range: See `RasterSource.open`.
        sensor: See `RasterSource.open`.
        maps: Where maps of what the result adds go, a `.tif`, see `sr.upscale.maps`; none if None.

    Raises:
        RequestError: The raster cannot be read, or the result has another ending.
    """

    def __init__(
        self,
        path: str | Path,
        out: Path,
        upscaler: Upscaler,
        *,
        value_range: tuple[float, float] | None = None,
        sensor: str | None = None,
        maps: Path | None = None,
    ) -> None:
        if out.suffix.lower() not in _TIFF:
            raise RequestError(
                f"expected a result ending in .tif for the raster {Path(path).name}, got {out.name}"
            )
        self.out, self.upscaler, self.maps = out, upscaler, maps
        self.source = RasterSource.open(
            path, value_range=value_range, sensor=sensor, every_band=True
        )
        grid, size = self.source.grid, upscaler.options.out_length
        height, width = size(grid.height), size(grid.width)
        step = Affine.scale(grid.width / width, grid.height / height)
        self.grid = Grid(height, width, grid.transform @ step, grid.crs)

    def run(self, folder: Path, progress: Progress = untold) -> Path:
        """Upscale and write.

        Args:
            folder: For unfinished parts.
            progress: Called with `(stage, done, total)`.

        Raises:
            RequestError: The pixels are damaged or all nodata.
        """
        source, grid = self.source, self.grid
        with ExitStack() as stack:
            stack.enter_context(rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES))
            read = stack.enter_context(source.reading())
            shape = (len(source.bands), *grid.shape)
            raw = RawRaster(folder, shape, source.encoding.dtype)
            upscale_layers(
                self._layers(read),
                self.upscaler,
                raw,
                shape=source.grid.shape,
                progress=progress,
            )
            if self.maps is None:
                return self._write(raw, read, progress)
            made = self._write_maps(folder, raw, read, progress)
            self._write(raw, read, progress)
            os.replace(made, self.maps)
            return self.out

    def _layers(self, read: Callable[[Window | None], Raster]) -> list[Layer]:
        encoding = self.source.encoding
        return [
            Layer(
                group[0],
                len(group),
                _reader(read, group),
                encoding.encode,
                exact=encoding.dtype != "uint8",
            )
            for group in self.upscaler.groups(len(self.source.bands))
        ]

    def _write_maps(
        self,
        folder: Path,
        raw: RawRaster,
        read: Callable[[Window | None], Raster],
        progress: Progress,
    ) -> Path:
        count = len(self.source.bands)
        return write_maps(
            folder / "maps.tif",
            self.source.grid,
            raw,
            _reader(read, range(count)),
            lambda window: read(window).valid,
            self.source.encoding,
            count=count,
            edge_pad=self.upscaler.options.pre_pad,
            progress=progress,
        )

    def _write(
        self, raw: RawRaster, read: Callable[[Window | None], Raster], progress: Progress
    ) -> Path:
        source, grid = self.source, self.grid
        with opened(source.path) as dataset:
            metadata = BandMetadata.of(dataset)
            tags = {k: v for k, v in dataset.tags().items() if k not in _OF_THE_FILE}
            opaque = alpha_bands(dataset)
            alpha = [index in opaque for index in range(1, dataset.count + 1)]
            plan = blocks(grid)
            seen = False

            def finished() -> Iterator[tuple[Window, NDArray[Any], NDArray[np.bool_]]]:
                nonlocal seen
                for done, window in enumerate(plan, start=1):
                    low, rows, cols = self._below(window)
                    valid = read(low).valid[rows][:, cols]
                    stored = raw.read(window)
                    stored[:, ~valid] = source.encoding.nodata or 0
                    seen = seen or bool(valid.any())
                    if any(alpha):
                        opacity = source.read_band(dataset, alpha.index(True) + 1, low)
                        opacity = opacity[rows][:, cols]
                        stored = np.insert(stored, alpha.index(True), opacity, axis=0)
                    yield window, stored, valid
                    progress("writing", done, len(plan))
                if not seen:
                    raise NoValidPixelsError(
                        f"expected an image, every pixel of {source.name} is nodata or masked"
                    )

            return write_cog(
                self.out,
                grid,
                finished(),
                count=len(alpha),
                dtype=source.encoding.dtype,
                nodata=source.encoding.nodata,
                masked=source.encoding.masked and not any(alpha),
                tags=tags,
                metadata=metadata,
            )

    def _below(self, window: Window) -> tuple[Window, NDArray[np.intp], NDArray[np.intp]]:
        """Source pixels below a window of the result, and which of them lies below each pixel."""
        source, grid = self.source.grid, self.grid
        rows = _nearest(window.row, window.height, source.height, grid.height)
        cols = _nearest(window.col, window.width, source.width, grid.width)
        top, left = int(rows[0]), int(cols[0])
        low = Window(top, left, int(rows[-1]) - top + 1, int(cols[-1]) - left + 1)
        return low, rows - top, cols - left


def _reader(read: Callable[[Window | None], Raster], group: Sequence[int]) -> Reader:
    def pixels(window: Window) -> NDArray[np.float32] | None:
        raster = read(window)
        if not raster.valid.any():
            return None
        return fill_invalid(raster.data[list(group)], raster.valid)

    return pixels


def _nearest(start: int, count: int, length: int, out_length: int) -> NDArray[np.intp]:
    centres = (np.arange(start, start + count) + 0.5) * (length / out_length)
    return np.minimum(centres.astype(np.intp), length - 1)
