"""Earlier dates laid over the start and brought to its colours; only means over cells are kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.region.images import EarlierSource
from forecast.region.windows import strips
from forecast.start import BLOCK, mirror_edges
from preprocessing.errors import RegistrationError
from preprocessing.radiometry.colour_chain import colour_chain
from preprocessing.radiometry.colour_transport import ColourTransport
from preprocessing.rasters.grid import Grid
from preprocessing.rasters.image_source import FileImage, ImageSource
from preprocessing.rasters.io import RasterSource, blocks
from preprocessing.registration.alignment import lay_over
from preprocessing.registration.common_grid import common_grid
from preprocessing.registration.registration import register
from preprocessing.running.disk_space import Zeros, disk_zeros
from preprocessing.running.executor import in_threads
from preprocessing.tiles.cells import CELL, cell_means, cells_valid

__all__ = ["EarlierCells", "check_common_ground", "earlier_picture", "read_earlier_cells"]

_log = logging.getLogger(__name__)
_MOST_CELLS = 400_000
"""That colours are fitted to."""
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

    @classmethod
    def none(cls, shape: tuple[int, int]) -> EarlierCells:
        """No date of a region of `(h, w)` cells."""
        return cls(
            np.zeros((0, 3, *shape), np.float16),
            np.zeros((0, *shape), bool),
            np.zeros(0, np.float32),
        )

    @classmethod
    def in_colours_of(
        cls,
        start: NDArray[np.float32],
        seen: NDArray[np.bool_],
        cells: NDArray[np.float16],
        known: NDArray[np.bool_],
        years: NDArray[np.float32],
        *,
        zeros: Zeros = np.zeros,
    ) -> tuple[EarlierCells, tuple[int, ...]]:
        """Bring dates to the colours of the start, see `colour_chain`.

        Args:
            start: `(3, h, w)`, 0..1.
            seen: `(h, w)` cells of the start that were seen.
            cells: `(d, 3, h, w)` in their own colours, 0..1, the oldest date first.
            known: `(d, h, w)`.
            years: `(d,)` before the start.
            zeros: Makes planes, on the disk where they are large.

        Returns:
            The dates, and the numbers of those left out: too little of them is seen.
        """
        every = max(1, int((seen.size / _MOST_CELLS) ** 0.5))
        some = (..., slice(None, None, every), slice(None, None, every))
        dates = np.concatenate([cells[some], start[None][some]]).astype(np.float32)
        maps = colour_chain(255 * dates, np.concatenate([known[some], seen[None][some]]), -1)
        found = [date for date in range(len(cells)) if maps[date] is not None]
        mapped = zeros((len(found), *start.shape), np.float16)
        shown = zeros((len(found), *seen.shape), np.bool_)
        for number, date in enumerate(found):
            colours = maps[date] or ColourTransport.identity()
            for rows in strips(seen.shape):
                at = (slice(None), rows)
                moved = colours.apply(255 * cells[date][at].astype(np.float32)) / 255
                shown[number][rows] = known[date][rows]
                mapped[number][at] = np.where(shown[number][rows], moved, 0)
        lost = tuple(date for date in range(len(cells)) if maps[date] is None)
        return cls(mapped, shown, years[found]), lost

    def save(self, folder: Path) -> None:
        """Write into a folder."""
        arrays: tuple[NDArray[Any], ...] = (self.cells, self.known, self.years)
        for name, values in zip(_NAMES, arrays, strict=True):
            np.save(folder / f"{name}.npy", values)

    @classmethod
    def load(cls, folder: Path) -> EarlierCells:
        """Map what `save` wrote into memory."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in _NAMES))

    def after(
        self, start: NDArray[np.float32], years: float, *, zeros: Zeros = np.zeros
    ) -> EarlierCells:
        """What is known some years later: the start `(3, h, w)` has become an earlier date."""
        count = len(self.years)
        cells = zeros((count + 1, *start.shape), np.float16)
        known = zeros((count + 1, *start.shape[1:]), np.bool_)
        for rows in strips(start.shape[1:]):
            cells[:count, :, rows], known[:count, rows] = (
                self.cells[:, :, rows],
                self.known[:, rows],
            )
            cells[count, :, rows], known[count, rows] = start[:, rows], True
        ago = np.append(self.years + np.float32(years), np.float32(years))
        return EarlierCells(cells, known, ago)


def read_earlier_cells(
    region: RasterSource,
    earlier: Sequence[EarlierSource],
    start: NDArray[np.float32],
    seen: NDArray[np.bool_],
    folder: Path,
    *,
    threads: int = 1,
) -> tuple[EarlierCells, tuple[str, ...]]:
    """Lay earlier images over the region, give them its colours, keep their cells.

    Each is warped to the grid, moved by the estimated shift and averaged over cells. An image that
    cannot be laid over the region, or shows too little of it (clouds), is left out.

    Args:
        region: The start.
        earlier: Its earlier dates, the oldest first.
        start: Means over cells of the padded start, `(3, h, w)`, 0..1.
        seen: `(h, w)` cells of the start that were seen.
        folder: For planes in work.
        threads: Images that are worked on side by side.

    Returns:
        The cells, and for each image left out a sentence that says why.

    Raises:
        GridMismatchError: Only one image has a CRS, or neither has and the sizes differ.
        NoOverlapError: An image shows other ground.
    """
    check_common_ground(region, [image.source for image in earlier])
    zeros = disk_zeros(folder)
    cells = zeros((len(earlier), *start.shape), np.float16)
    known = zeros((len(earlier), *seen.shape), np.bool_)

    def laid(number: int) -> RegistrationError | None:
        try:
            image = _laid_over(region, earlier[number].source)
        except RegistrationError as err:
            return err
        _read_cells(image, region.grid, cells[number], known[number], zeros)
        return None

    used: list[EarlierSource] = []
    left_out: list[str] = []
    for number, failed in enumerate(in_threads(laid, range(len(earlier)), threads)):
        image = earlier[number]
        if failed is not None:
            left_out.append(f"{image.source.name} is left out: {failed}")
            continue
        # Those that are used stand first, in their order.
        if len(used) < number:
            cells[len(used)], known[len(used)] = cells[number], known[number]
        used.append(image)
    dates, lost = EarlierCells.in_colours_of(
        start,
        seen,
        cells[: len(used)],
        known[: len(used)],
        np.array([image.years for image in used], np.float32),
        zeros=zeros,
    )
    left_out += [
        f"{used[date].source.name} is left out: expected more ground that it shows with the other "
        "images; check nodata and clouds"
        for date in lost
    ]
    for sentence in left_out:
        _log.warning(sentence)
    return dates, tuple(left_out)


def check_common_ground(region: RasterSource, earlier: Sequence[RasterSource]) -> None:
    """Refuse images that show other ground than the region, before anything is read.

    Raises:
        GridMismatchError: See `read_earlier_cells`.
        NoOverlapError: Likewise.
    """
    for image in earlier:
        common_grid(FileImage.of(region), FileImage.of(image))


def _laid_over(region: RasterSource, earlier: RasterSource) -> ImageSource:
    present, image = FileImage.of(region), FileImage.of(earlier)
    first, moving = lay_over(present, image, region.grid)
    return register(first, moving).image


def _read_cells(
    laid: ImageSource,
    grid: Grid,
    cells: NDArray[np.float16],
    known: NDArray[np.bool_],
    zeros: Zeros,
) -> None:
    """Means over cells and which are known, mirrored beyond the grid as the start is."""
    image, valid = _picture(laid, grid, cells.shape, zeros)
    for rows in strips((cells.shape[1], CELL * CELL * cells.shape[2])):
        pixels = (slice(None), slice(CELL * rows.start, CELL * rows.stop))
        cells[:, rows] = cell_means(image[pixels])
        known[rows] = cells_valid(valid[pixels][0])


def earlier_picture(
    region: RasterSource, earlier: RasterSource, shape: tuple[int, ...], zeros: Zeros
) -> NDArray[np.float32]:
    """An earlier image laid over the region in its own colours, padded like the start.

    Args:
        region: The start.
        earlier: The image.
        shape: `(3, h, w)` of the region's cells.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(3, 4 * h, 4 * w)`, 0..1.
    """
    return _picture(_laid_over(region, earlier), region.grid, shape, zeros)[0]


def _picture(
    laid: ImageSource, grid: Grid, shape: tuple[int, ...], zeros: Zeros
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    full = (CELL * shape[1], CELL * shape[2])
    image, valid = zeros((3, *full), np.float32), zeros((1, *full), np.bool_)
    for window in blocks(grid, size=BLOCK):
        raster = laid.read(window)
        image[(slice(None), *window.slices)] = raster.data
        valid[(0, *window.slices)] = raster.valid
    mirrored: tuple[NDArray[Any], ...] = (image, valid)
    for array in mirrored:
        mirror_edges(array, height=grid.height, width=grid.width)
    return image, valid
