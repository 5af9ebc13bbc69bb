"""Rasters on the region's grid: images in its own encoding, layers of numbers in float32."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.region.observation import observed
from forecast.summary import between_cells
from preprocessing.rasters.band_metadata import BandMetadata
from preprocessing.rasters.cog import BLOCK_PX
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import blocks, write_cog
from preprocessing.rasters.raster import Encoding
from preprocessing.running.differences import Parts
from preprocessing.tiles.cells import CELL

__all__ = ["LayerWriter", "observed_part", "part_of"]

Part = Callable[[Window], NDArray[Any]]
"""Stored values `(c, h, w)` of a window."""

_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class LayerWriter:
    """Writes what is known where the start was seen.

    Attributes:
        grid: Of the region.
        told: Pixels of it that are written, from a whole cell on.
        encoding: How its values are stored.
        valid: `(height, width)` where the region was seen.
        metadata: What the start says of its bands; units and scales stay with the values.
    """

    grid: Grid
    told: Window
    encoding: Encoding
    valid: NDArray[np.bool_]
    metadata: BandMetadata | None = None

    def image(
        self,
        path: Path,
        stored: Part,
        note: str,
        *,
        date: dt.date | None = None,
    ) -> None:
        """Write three bands; `stored` gives the stored values of a window."""
        encoding = self.encoding
        tags = {"VALUE_RANGE": f"{encoding.low:g},{encoding.high:g}", "LANDCAST": note}
        if date is not None:
            tags["ACQUISITION_DATE"] = date.isoformat()
        empty = 0 if encoding.nodata is None else encoding.nodata

        def parts() -> Iterator[tuple[Window, NDArray[Any], NDArray[np.bool_]]]:
            for window, there in self._blocks():
                seen = self.valid[there.slices]
                if seen.any():
                    values = stored(there)
                    values[:, ~seen] = empty
                else:
                    values = np.full((3, *seen.shape), empty, encoding.dtype)
                yield window, values, seen

        write_cog(
            path,
            self._grid,
            parts(),
            count=3,
            dtype=encoding.dtype,
            nodata=encoding.nodata,
            masked=encoding.nodata is None and not bool(self.valid[self.told.slices].all()),
            descriptions=_COLOURS,
            metadata=None if self.metadata is None else self.metadata.as_colours(),
            tags=tags,
        )

    def layer(self, path: Path, values: Part, name: str, note: str) -> None:
        """Write one band of float32, NaN where nothing was observed."""

        def parts() -> Iterator[tuple[Window, NDArray[Any], None]]:
            for window, there in self._blocks():
                seen = self.valid[there.slices]
                if seen.any():
                    block = values(there)
                    block[:, ~seen] = np.nan
                else:
                    block = np.full((1, *seen.shape), np.nan, np.float32)
                yield window, block, None

        write_cog(
            path,
            self._grid,
            parts(),
            count=1,
            dtype="float32",
            nodata=float("nan"),
            descriptions=(name,),
            tags={"LANDCAST": note},
        )

    def cells(self, path: Path, values: NDArray[np.float32], name: str, note: str) -> None:
        """Write a layer given on cells, `(h, w)`, interpolated between their middles."""

        def part(window: Window) -> NDArray[Any]:
            return between_cells(values, window)[None]

        self.layer(path, _by_blocks(part, *self.grid.shape), name, note)

    @property
    def _grid(self) -> Grid:
        return self.grid.crop(self.told)

    def _blocks(self) -> Iterator[tuple[Window, Window]]:
        """Blocks of what is written, and the same pixels of the region."""
        for window in blocks(self._grid):
            row, col = self.told.row + window.row, self.told.col + window.col
            yield window, Window(row, col, window.height, window.width)


def part_of(values: Parts) -> Part:
    """Windows of an array `(c, height, width)`, as a writer asks for them."""
    return lambda window: np.array(values[(slice(None), *window.slices)])


def observed_part(state: Parts, seen: NDArray[np.float32], encoding: Encoding) -> Part:
    """Windows of stored values with what an observation differs by laid over them.

    Args:
        state: `(3, height, width)` stored values.
        seen: `(3, h, w)` difference on the grid of cells.
        encoding: How values are stored.
    """

    def part(window: Window) -> NDArray[Any]:
        cells = Window(
            window.row // CELL,
            window.col // CELL,
            -(-window.height // CELL),
            -(-window.width // CELL),
        )
        values = encoding.decode(state[(slice(None), *window.slices)])
        return encoding.encode(observed(np.nan_to_num(values), seen, cells))

    return _by_blocks(part, *state.shape[1:])


def _by_blocks(part: Part, height: int, width: int) -> Part:
    """The same values to the last bit whatever window they are asked for.

    PyTorch interpolates few cells in another way than many, so it is always given whole blocks.

    Args:
        part: Of blocks of the region.
        height: Pixels of the region.
        width: Likewise.
    """

    def of(top: int, left: int) -> NDArray[Any]:
        return part(Window(top, left, min(BLOCK_PX, height - top), min(BLOCK_PX, width - left)))

    def cut(window: Window) -> NDArray[Any]:
        down, right = window.row % BLOCK_PX, window.col % BLOCK_PX
        tops = range(window.row - down, window.row + window.height, BLOCK_PX)
        lefts = range(window.col - right, window.col + window.width, BLOCK_PX)
        found = np.concatenate(
            [np.concatenate([of(top, left) for left in lefts], axis=2) for top in tops], axis=1
        )
        return found[:, down : down + window.height, right : right + window.width]

    return cut
