"""The images of a study: found, checked, read, degraded."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray

from app.comparison.request import LEAST_PX, SCALE, ComparisonRequest, Level
from preprocessing.errors import MissingFileError, NoValidPixelsError, RequestError
from preprocessing.preparation.image_folder import RASTER_SUFFIXES
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.opening import is_local
from preprocessing.rasters.picture import is_picture, read_picture
from preprocessing.rasters.raster import Raster

__all__ = ["Image", "StudyImage", "degrade", "find_images"]

_log = logging.getLogger(__name__)

Image = NDArray[np.float32]
"""`(h, w, 3)`, 0..1."""


@dataclass(frozen=True)
class StudyImage:
    """An opened image and the part of it that is used.

    Attributes:
        name: Unique in the study, fit for a file name.
        path: Of the file.
        source: Reads windows of it.
        eight_bit: Whether its values have 8 bits.
        window: Its middle, sides multiples of 4.
    """

    name: str
    path: str
    source: Callable[[Window], Raster]
    eight_bit: bool
    window: Window

    def read(self) -> Image:
        """The pixels of the window.

        Raises:
            NoValidPixelsError: Some are nodata or masked.
        """
        raster = self.source(self.window)
        if not raster.valid.all():
            share = 1 - raster.valid.mean()
            raise NoValidPixelsError(
                f"expected an image without gaps, {100 * share:.1f} % of the middle "
                f"{self.window.width} x {self.window.height} pixels of {self.path} are "
                "nodata or masked; use a smaller --crop or leave it out"
            )
        return np.ascontiguousarray(raster.data.transpose(1, 2, 0)).clip(0, 1)


def find_images(names: Sequence[str], request: ComparisonRequest) -> list[StudyImage]:
    """Open files, and all images in folders and their folders, in order.

    Files of folders that do not fit are left out with a warning.

    Raises:
        MissingFileError: There is nothing of a name, or a folder holds no images.
        RequestError: A file cannot be read, is too small, has gaps, or comes twice; nothing of a
            folder fits.
    """
    listed = {path: name for name in names for path in _expanded(name)}
    paths = [path for name in names for path in _expanded(name)]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise RequestError(f"expected each image once, got {twice[0]} more than once")
    found: list[StudyImage] = []
    for path in paths:
        taken = {image.name for image in found}
        try:
            image = _opened(path, request, taken)
            image.read()  # Gaps are told before anything is made.
        except RequestError as err:
            if listed[path] == path:
                raise
            _log.warning("left out: %s", err)
            continue
        found.append(image)
    if not found:
        raise RequestError(f"expected images to compare with in {', '.join(names)}, none fits")
    return found


def degrade(image: Image, level: Level, request: ComparisonRequest, *, name: str) -> Image:
    """The low-resolution image `(h / 4, w / 4, 3)`; its noise is the same at every level."""
    # A generator of the CPU takes 32 bits of a seed and ignores the rest.
    mixed = zlib.crc32(name.encode(), request.seed % 2**32)
    generator = torch.Generator().manual_seed(mixed)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    low = request.degradation(level)(batch, generator)
    return np.ascontiguousarray(low[0].permute(1, 2, 0).numpy())


def _expanded(name: str) -> list[str]:
    if not is_local(name) or not Path(name).is_dir():
        return [name]
    files = sorted(
        str(path)
        for path in Path(name).rglob("*")
        if path.suffix.lower() in RASTER_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(name).parts)
    )
    if not files:
        raise MissingFileError(
            f"expected images in the folder {name}, found none that ends in "
            f"{', '.join(sorted(RASTER_SUFFIXES))}"
        )
    return files


def _opened(path: str, request: ComparisonRequest, taken: set[str]) -> StudyImage:
    """An image with a name that is not taken."""
    said = request.reading
    plain = said.bands is None and said.value_range is None and said.sensor is None
    if plain and is_local(path) and Path(path).is_file() and is_picture(Path(path)):
        raster, eight_bit = _of_picture(Path(path))
        stem, grid, read = Path(path).stem, raster.grid, raster.crop
    else:
        source = said.open(path)
        stem, grid, read = Path(source.name).stem, source.grid, source.read
        eight_bit = source.encoding.dtype == "uint8"
    others = (f"{stem}_{number}" for number in count(2))
    name = next(name for name in chain([stem], others) if name not in taken)
    return StudyImage(name, path, read, eight_bit, _middle(grid, path, request.crop_px))


def _of_picture(path: Path) -> tuple[Raster, bool]:
    """A picture as a raster of three bands; what is not wholly opaque is not valid."""
    picture = read_picture(path)
    colours = np.repeat(picture.colours, 3 // len(picture.colours), axis=0)
    top = np.iinfo(colours.dtype).max
    height, width = colours.shape[1:]
    valid = np.ones((height, width), bool) if picture.alpha is None else picture.alpha == top
    data = (colours / np.float32(top)).astype(np.float32)
    return Raster(data, Grid(height, width, Affine.identity()), valid), colours.dtype == np.uint8


def _middle(grid: Grid, path: str, crop_px: int) -> Window:
    height, width = (min(side, crop_px) // SCALE * SCALE for side in grid.shape)
    if min(height, width) < LEAST_PX:
        raise RequestError(
            f"expected images of at least {LEAST_PX} x {LEAST_PX} pixels, {path} has "
            f"{grid.width} x {grid.height}; leave it out"
        )
    row, col = (grid.height - height) // 2, (grid.width - width) // 2
    return Window(row, col, height, width)
