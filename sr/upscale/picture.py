"""Upscaling a still picture file: grey or colour, alpha, 8 or 16 bit."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from preprocessing.masks.filling import fill_invalid
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import blocks
from preprocessing.rasters.picture import Picture, check_picture_format, read_picture, write_picture
from preprocessing.rasters.raster import Encoding
from preprocessing.running.progress import Progress, untold
from sr.network.band_inference import Layer, upscale_layers
from sr.upscale.bands import Method, Upscaler
from sr.upscale.maps import write_maps
from sr.upscale.raw_raster import RawRaster
from sr.upscale.tiled import Reader

__all__ = ["PictureJob"]


_log = logging.getLogger(__name__)
_SMALL_SHARE = 0.25


def _notice_small_range(picture: Picture, path: Path) -> None:
    """Reflectance in a 16-bit picture is shown nearly black, and taken for nearly black."""
    if picture.colours.dtype == np.uint16:
        top = int(picture.colours.max(initial=0))
        if 0 < top < _SMALL_SHARE * 65535:
            _log.warning(
                "%s: its values reach %d of 65535 and are taken for dark colours; if they are "
                "measurements, write a GeoTIFF with a coordinate system and give --value-range",
                path,
                top,
            )


class PictureJob:
    """A picture to upscale; it is read when made, so that wrong requests fail early.

    Args:
        path: The picture.
        out: The result; its ending is its format.
        upscaler: The network.
        maps: Where maps of what the result adds go, a `.tif`, see `sr.upscale.maps`; none if None.

    Raises:
        RequestError: The picture cannot be read, or the format cannot hold the result.
    """

    def __init__(
        self, path: Path, out: Path, upscaler: Upscaler, *, maps: Path | None = None
    ) -> None:
        self.out, self.upscaler, self.maps = out, upscaler, maps
        self._picture = read_picture(path)
        _notice_small_range(self._picture, path)
        _, self.height, self.width = self._picture.colours.shape
        size = upscaler.options.out_length
        self._grid = Grid(size(self.height), size(self.width), Affine.identity())
        check_picture_format(
            out,
            dtype=self._picture.colours.dtype.name,
            alpha=self._picture.alpha is not None,
            height=self._grid.height,
            width=self._grid.width,
        )

    def run(self, folder: Path, progress: Progress = untold) -> Path:
        """Upscale and write.

        Args:
            folder: For unfinished parts.
            progress: Called with `(stage, done, total)`.
        """
        picture, grid = self._picture, self._grid
        colours = picture.colours
        bands = len(colours) + (picture.alpha is not None)
        dtype = colours.dtype.name
        raw = RawRaster(folder, (bands, *grid.shape), dtype)
        upscale_layers(
            self._layers(), self.upscaler, raw, shape=colours.shape[1:], progress=progress
        )
        if self.maps is None:
            return self._write(raw, progress)
        made = self._write_maps(folder, raw, progress)
        self._write(raw, progress)
        os.replace(made, self.maps)
        return self.out

    def _write(self, raw: RawRaster, progress: Progress) -> Path:
        grid, (count, _, _) = self._grid, raw.shape
        plan = blocks(grid)

        def finished() -> Iterator[tuple[Window, NDArray[Any]]]:
            for done, window in enumerate(plan, start=1):
                yield window, raw.read(window)
                progress("writing", done, len(plan))

        return write_picture(
            self.out,
            finished(),
            height=grid.height,
            width=grid.width,
            count=count,
            dtype=raw.dtype.name,
            icc=self._picture.icc,
        )

    def _write_maps(self, folder: Path, raw: RawRaster, progress: Progress) -> Path:
        colours, alpha = _without_hidden_colours(self._picture), self._picture.alpha
        seen = np.ones(colours.shape[1:], bool) if alpha is None else alpha > 0
        encoding = _encoding(colours)
        return write_maps(
            folder / "maps.tif",
            Grid(self.height, self.width, Affine.identity()),
            raw,
            _reader(colours, encoding),
            lambda window: seen[window.slices],
            encoding,
            count=len(colours),
            edge_pad=self.upscaler.options.pre_pad,
            progress=progress,
        )

    def _layers(self) -> list[Layer]:
        picture, options = self._picture, self.upscaler.options
        colours = _without_hidden_colours(picture)
        layers = [
            self._layer(colours[list(group)], group[0], "network")
            for group in self.upscaler.groups(len(colours))
        ]
        if picture.alpha is not None:
            alpha = self._layer(picture.alpha[None], len(colours), options.alpha_upsampler)
            layers.append(replace(alpha, bounded=True))
        return layers

    def _layer(self, bands: NDArray[Any], first: int, method: Method) -> Layer:
        encoding = _encoding(bands)
        exact = bands.dtype != np.uint8
        return Layer(first, len(bands), _reader(bands, encoding), encoding.encode, exact, method)


def _encoding(bands: NDArray[Any]) -> Encoding:
    return Encoding(bands.dtype.name, 0, float(np.iinfo(bands.dtype).max))


def _reader(bands: NDArray[Any], encoding: Encoding) -> Reader:
    return lambda window: encoding.decode(bands[(slice(None), *window.slices)])


def _without_hidden_colours(picture: Picture) -> NDArray[Any]:
    """The colours, those below fully transparent pixels taken from the nearest visible ones.

    What is hidden may be of any colour, and the network would spread it as a fringe.
    """
    if picture.alpha is None:
        return picture.colours
    visible = picture.alpha > 0
    return fill_invalid(picture.colours, visible) if visible.any() else picture.colours
