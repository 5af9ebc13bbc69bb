"""Earlier dates laid over the start and brought to its colours; only means over cells are kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.start import BLOCK, mirror_edges
from forecast.states.images import EarlierSource
from preprocessing.alignment import lay_over
from preprocessing.cells import CELL, cell_means, cells_valid
from preprocessing.colour_map import ColourMap
from preprocessing.common_grid import common_grid
from preprocessing.errors import NoValidPixelsError, RegistrationError
from preprocessing.grid import Grid
from preprocessing.image_source import FileImage, ImageSource
from preprocessing.io import RasterSource, blocks
from preprocessing.registration import register

__all__ = ["EarlierCells", "read_earlier_cells"]

_log = logging.getLogger(__name__)
_NAMES = ("earlier_cells", "earlier_known", "earlier_years")


@dataclass(frozen=True)
class EarlierCells:
    """Earlier dates of a region, of fixed size a date.

    Attributes:
        cells: `(d, 3, h, w)` float16 means over cells, 0..1, in the colours of the start; 0 where
            not known.
        known: `(d, h, w)` bool, cells all of whose pixels were seen.
        years: `(d,)` before the start.
    """

    cells: NDArray[np.float16]
    known: NDArray[np.bool_]
    years: NDArray[np.float32]

    def save(self, folder: Path) -> None:
        """Write into a folder."""
        arrays: tuple[NDArray[Any], ...] = (self.cells, self.known, self.years)
        for name, values in zip(_NAMES, arrays, strict=True):
            np.save(folder / f"{name}.npy", values)

    @classmethod
    def load(cls, folder: Path) -> EarlierCells:
        """Map what `save` wrote into memory."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in _NAMES))

    def after(self, start: NDArray[np.float32], years: float) -> EarlierCells:
        """What is known some years later: the start `(3, h, w)` has become an earlier date."""
        return EarlierCells(
            np.concatenate([self.cells, start[None].astype(np.float16)]),
            np.concatenate([self.known, np.ones((1, *start.shape[1:]), bool)]),
            np.append(self.years + np.float32(years), np.float32(years)),
        )


def read_earlier_cells(
    region: RasterSource,
    earlier: Sequence[EarlierSource],
    start: NDArray[np.float32],
    seen: NDArray[np.bool_],
    folder: Path,
) -> tuple[EarlierCells, tuple[str, ...]]:
    """Lay earlier images over a region, give them its colours, keep their cells.

    Each is warped to the grid, moved by the estimated shift, averaged over cells, and mapped by a
    `ColourMap` fitted to the cells both show: what acts on colours everywhere alike is taken out,
    what changed stays. An image that cannot be laid over the region, or shows too little of it
    (clouds), is left out.

    Args:
        region: The start.
        earlier: Its earlier dates.
        start: Means over cells of the padded start, `(3, h, w)`, 0..1.
        seen: `(h, w)` cells of the start that were seen.
        folder: For a map of one image at a time.

    Returns:
        The cells, and for each image left out a sentence that says why.

    Raises:
        GridMismatchError: Only one image has a CRS, or neither has and the sizes differ.
        NoOverlapError: An image shows other ground.
    """
    cells, known, years, left_out = [], [], [], []
    for image in earlier:
        try:
            laid = _laid_over(region, image.source)
            means, valid = _cells(laid, region.grid, start.shape, folder)
            colours = ColourMap.fit(255 * means, 255 * start, valid & seen)
        except (NoValidPixelsError, RegistrationError) as err:
            _log.warning("%s is left out: %s", image.source.name, err)
            left_out.append(f"{image.source.name}: {err}")
            continue
        mapped = colours.apply(255 * means) / 255
        cells.append(np.where(valid, mapped, 0).astype(np.float16))
        known.append(valid)
        years.append(image.years)
    shape = start.shape
    return (
        EarlierCells(
            np.stack(cells) if cells else np.zeros((0, *shape), np.float16),
            np.stack(known) if known else np.zeros((0, *shape[1:]), bool),
            np.array(years, np.float32),
        ),
        tuple(left_out),
    )


def _laid_over(region: RasterSource, earlier: RasterSource) -> ImageSource:
    present, image = FileImage.of(region), FileImage.of(earlier)
    common_grid(present, image)  # Refuses images that share no ground.
    first, moving = lay_over(present, image, region.grid)
    return register(first, moving).image


def _cells(
    laid: ImageSource, grid: Grid, shape: tuple[int, ...], folder: Path
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Means over cells and which are known, mirrored beyond the grid as the start is."""
    full = (3, CELL * shape[1], CELL * shape[2])
    path = folder / "earlier.npy"
    image = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=full)
    valid = np.zeros((1, *full[1:]), bool)
    for window in blocks(grid, size=BLOCK):
        raster = laid.read(window)
        image[(slice(None), *window.slices)] = raster.data
        valid[(0, *window.slices)] = raster.valid
    mirrored: tuple[NDArray[Any], ...] = (image, valid)
    for array in mirrored:
        mirror_edges(array, height=grid.height, width=grid.width)
    means, known = cell_means(image), cells_valid(valid[0])
    path.unlink()
    return means, known
