"""Images read window by window: a file, a raster in memory, or either of them changed on the way.

Everything that prepares pairs asks for windows, so that memory depends on the window and never on
the image.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError
from preprocessing.rasters.grid import Grid, Window, inside, whole
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.raster import Raster

__all__ = [
    "AveragedImage",
    "DerivedImage",
    "FileImage",
    "HeldImage",
    "ImageSource",
    "MaskedImage",
    "Reading",
    "Readings",
    "SameGridImage",
    "hold",
    "is_large",
    "read_grown",
]

_HELD_PX = 8 * 2**20
"""Images up to this size are kept in memory (100 MB) rather than read again for every pass."""


class ImageSource(Protocol):
    """A dated image on a grid whose pixels can be read window by window."""

    @property
    def grid(self) -> Grid:
        """Grid of the whole image."""

    @property
    def date(self) -> dt.date | None:
        """Acquisition date, or None."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def read(self, window: Window, /) -> Raster:
        """Pixels of a window, `(3, h, w)`; parts beyond the image are invalid."""


class DerivedImage:
    """What an image made of another one has of it: date and name."""

    source: ImageSource

    @property
    def date(self) -> dt.date | None:
        """Date of the image."""
        return self.source.date

    @property
    def name(self) -> str:
        """Name of the image."""
        return self.source.name


class SameGridImage(DerivedImage):
    """Likewise, on the same grid."""

    @property
    def grid(self) -> Grid:
        """Grid of the image."""
        return self.source.grid


@dataclass(frozen=True)
class HeldImage:
    """A raster in memory."""

    raster: Raster

    @property
    def grid(self) -> Grid:
        """Grid of the raster."""
        return self.raster.grid

    @property
    def date(self) -> dt.date | None:
        """Date of the raster."""
        return self.raster.date

    @property
    def name(self) -> str:
        """Name of the raster."""
        return self.raster.name

    def read(self, window: Window, /) -> Raster:
        """A view where the window lies inside, else a padded copy."""
        if window == whole(self.grid):
            return self.raster
        part = inside(window, self.grid)
        if part == window:
            return self.raster.crop(window)
        data = np.zeros((len(self.raster.data), *window.shape), np.float32)
        valid = np.zeros(window.shape, bool)
        if part is not None:
            rows, cols = part.within(window).slices
            data[:, rows, cols] = self.raster.data[(slice(None), *part.slices)]
            valid[rows, cols] = self.raster.valid[part.slices]
        return replace(self.raster, data=data, valid=valid, grid=self.grid.crop(window))


@dataclass(frozen=True, slots=True)
class Reading:
    """How the files of one run are to be understood; see `RasterSource.open`.

    Attributes:
        bands: One-based indexes of red, green and blue.
        value_range: Stored values that mean 0 and 1.
        sensor: Name of a sensor profile.
    """

    bands: Sequence[int] | None = None
    value_range: tuple[float, float] | None = None
    sensor: str | None = None

    def open(self, path: str | Path, *, year: int | None = None) -> RasterSource:
        """Open a file; see `RasterSource.open` for the errors."""
        return RasterSource.open(
            path,
            bands=self.bands,
            value_range=self.value_range,
            sensor=self.sensor,
            year=year,
        )


@dataclass(frozen=True, slots=True)
class Readings:
    """How the files of each data set are to be understood.

    Attributes:
        every: Of those that are not named.
        of_dataset: By name of the data set.
    """

    every: Reading = Reading()
    of_dataset: Mapping[str, Reading] = field(default_factory=dict)

    def of(self, dataset: str) -> Reading:
        """How the files of a data set are to be understood."""
        return self.of_dataset.get(dataset, self.every)


@dataclass(frozen=True)
class FileImage:
    """A file that is read when asked.

    Attributes:
        source: The opened file.
        date: Its date; stated from outside where the file does not say it.
    """

    source: RasterSource
    date: dt.date | None

    @classmethod
    def of(cls, source: RasterSource, date: dt.date | None = None) -> FileImage:
        """The file with the date it states, or another."""
        return cls(source, date or source.date)

    @property
    def grid(self) -> Grid:
        """Grid of the file."""
        return self.source.grid

    @property
    def name(self) -> str:
        """File name."""
        return Path(self.source.path).name

    def read(self, window: Window, /) -> Raster:
        """Read from the file."""
        return replace(self.source.read(window), date=self.date, name=self.name)


@dataclass(frozen=True)
class MaskedImage(SameGridImage):
    """An image some of whose pixels are not to be used, such as clouds.

    Attributes:
        source: The image.
        clear: Gives the pixels `(h, w)` to keep of a raster that was read.
        halo_px: Pixels around a window that `clear` needs to decide on it.
    """

    source: ImageSource
    clear: Callable[[Raster], NDArray[np.bool_]]
    halo_px: int = 0

    def read(self, window: Window, /) -> Raster:
        """Read, and take the pixels that are not clear as unseen."""
        return read_grown(
            self.source,
            window,
            self.halo_px,
            lambda raster: replace(raster, valid=raster.valid & self.clear(raster)),
        )


def read_grown(
    source: ImageSource, window: Window, margin: int, change: Callable[[Raster], Raster]
) -> Raster:
    """Read a window of an image that is changed by what looks at pixels around.

    Args:
        source: The image.
        window: What to read.
        margin: Pixels around it that `change` needs.
        change: Gives another raster on the same grid.
    """
    outer = inside(window.grown(margin), source.grid)
    if outer is None:
        return source.read(window)
    changed = HeldImage(change(source.read(outer)))
    return replace(changed.read(window.within(outer)), grid=source.grid.crop(window))


@dataclass(frozen=True)
class AveragedImage(DerivedImage):
    """An image of which blocks of `size` x `size` pixels are averaged.

    A block is valid if all of its pixels are.

    Raises:
        NoValidPixelsError: The image is smaller than a block.
    """

    source: ImageSource
    size: int

    def __post_init__(self) -> None:
        size, (height, width) = self.size, self.source.grid.shape
        if min(height, width) < size:
            raise NoValidPixelsError(
                f"expected at least {size} x {size} pixels to average, {self.source.name} has "
                f"{height} x {width}; average fewer or use larger images"
            )

    @property
    def grid(self) -> Grid:
        """Grid of the blocks; rows and columns left over are cut off."""
        grid = self.source.grid
        height, width = grid.height // self.size, grid.width // self.size
        cut = grid.crop(Window(0, 0, height * self.size, width * self.size))
        return cut.scaled(1 / self.size)

    def read(self, window: Window, /) -> Raster:
        """Read the blocks' pixels and average them."""
        n, (height, width) = self.size, window.shape
        raster = self.source.read(Window(window.row * n, window.col * n, height * n, width * n))
        blocks = raster.data.reshape(len(raster.data), height, n, width, n)
        return replace(
            raster,
            data=blocks.mean(axis=(2, 4), dtype=np.float32),
            valid=np.asarray(raster.valid.reshape(height, n, width, n).all(axis=(1, 3))),
            grid=raster.grid.scaled(1 / n),
        )


def hold(source: ImageSource) -> ImageSource:
    """The image itself if it is large; a small one is read once and kept in memory."""
    if is_large(source.grid):
        return source
    return HeldImage(source.read(whole(source.grid)))


def is_large(grid: Grid) -> bool:
    """Whether an image has too many pixels to be kept in memory."""
    return grid.height * grid.width > _HELD_PX
