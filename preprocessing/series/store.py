"""Series stores: tiles of every date of many places on disk, in Zarr, and places made of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.dates import decimal_year
from preprocessing.errors import SeriesStoreError
from preprocessing.pair_arrays import TILE_PX
from preprocessing.series.place import PlaceSeries
from preprocessing.store_location import location_of, open_group, reading_errors

__all__ = ["FORMAT", "PlaceLabel", "SeriesStore", "tile_corners"]

FORMAT = "landcast-series/1"


@dataclass(frozen=True)
class PlaceLabel:
    """What is known of a place without reading its images.

    Attributes:
        name: Name of the place, of its own in the store.
        dataset: Collection it belongs to.
        split: `train`, `val` or `test`.
        gsd_m: Metres per pixel, NaN where unknown.
        height: Rows; whole cells.
        width: Columns; whole cells.
        dates: Acquisition dates, rising; the first of January where only the year is known.
        reference: The date that the others were registered to.
    """

    name: str
    dataset: str
    split: str
    gsd_m: float
    height: int
    width: int
    dates: tuple[dt.date, ...]
    reference: dt.date

    @property
    def years(self) -> NDArray[np.float64]:
        """`(d,)` the dates as decimal years."""
        return np.array([decimal_year(date) for date in self.dates])

    @property
    def corners(self) -> list[tuple[int, int]]:
        """First row and column of each tile."""
        return tile_corners(self.height, self.width)


def tile_corners(height: int, width: int) -> list[tuple[int, int]]:
    """First row and column of the tiles that cover an image once, row by row."""
    return [(row, col) for row in range(0, height, TILE_PX) for col in range(0, width, TILE_PX)]


class SeriesStore:
    """Tiles of every date of some places; the format is described in `docs/series.md`.

    Use `SeriesStore.open`.

    Attributes:
        location: Folder or URL.
        labels: One a place, by name, in the order in which they were prepared.
    """

    def __init__(self, location: str, group: Any) -> None:
        self.location = location
        self._group = group
        entries = group.attrs["places"]
        self.labels = {entry["name"]: _label(entry) for entry in entries}
        self._paths = {entry["name"]: entry["path"] for entry in entries}

    @classmethod
    def open(
        cls, path: str | Path, *, storage_options: dict[str, Any] | None = None
    ) -> SeriesStore:
        """Open a store that `landcast prepare --series` made.

        Args:
            path: Folder, or a URL that fsspec can read.
            storage_options: For URLs, given to fsspec.

        Raises:
            SeriesStoreError: No series store is there, or it cannot be read.
        """
        location = location_of(path)
        group, _ = open_group(
            location, storage_options, kind="series store", error=SeriesStoreError
        )
        if group.attrs.get("format") != FORMAT:
            raise SeriesStoreError(
                f"expected a store of format {FORMAT} at {location}, got "
                f"{group.attrs.get('format')!r}; make one with 'landcast prepare --series'"
            )
        return cls(location, group)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the places."""
        return tuple(self.labels)

    def select(self, *, split: str | None = None, dataset: str | None = None) -> tuple[str, ...]:
        """Names of the places of a split, a data set, or both."""
        return tuple(
            name
            for name, label in self.labels.items()
            if split in (None, label.split) and dataset in (None, label.dataset)
        )

    def place(self, name: str) -> PlaceSeries:
        """Read a whole place, put together from its tiles.

        Raises:
            SeriesStoreError: There is no such place, or it cannot be read.
        """
        label = self._known(name)
        tiles, valid = self._read(name, slice(None))
        height, width = label.height, label.width
        images = np.empty((len(label.dates), 3, height, width), np.uint8)
        seen = np.empty((len(label.dates), height, width), bool)
        for number, (row, col) in enumerate(label.corners):
            rows, cols = slice(row, row + TILE_PX), slice(col, col + TILE_PX)
            h, w = seen[0, rows, cols].shape
            images[..., rows, cols] = tiles[number][..., :h, :w]
            seen[:, rows, cols] = valid[number][..., :h, :w]
        return self._series(label, images, seen)

    def tile(self, name: str, number: int) -> PlaceSeries:
        """Read one tile with all its dates, without the rest of the place.

        Args:
            name: Name of the place.
            number: Position in `PlaceLabel.corners`.

        Returns:
            128 x 128 pixels; those beyond the place are invalid.

        Raises:
            IndexError: There is no such tile.
            SeriesStoreError: See `place`.
        """
        label = self._known(name)
        number = range(len(label.corners))[number]
        tiles, valid = self._read(name, slice(number, number + 1))
        return self._series(label, tiles[0], valid[0])

    def tiles(self, name: str) -> Iterator[PlaceSeries]:
        """All tiles of a place in turn, see `tile`."""
        for number in range(len(self._known(name).corners)):
            yield self.tile(name, number)

    def _known(self, name: str) -> PlaceLabel:
        if name not in self.labels:
            some = ", ".join(self.names[:8]) + (", ..." if len(self.names) > 8 else "")
            raise SeriesStoreError(
                f"expected a place of {self.location} ({some}), got {name!r}; "
                "see SeriesStore.names for all"
            )
        return self.labels[name]

    def _read(self, name: str, part: slice) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        path = self._paths[name]
        try:
            images = self._group[f"{path}/images"][part]
            valid = self._group[f"{path}/valid"][part]
        except reading_errors() as err:
            raise SeriesStoreError(
                f"expected the images of {name} in {self.location}, they cannot be read "
                f"({type(err).__name__}: {err}); copy or prepare the store again"
            ) from err
        return images, valid

    @staticmethod
    def _series(
        label: PlaceLabel, images: NDArray[np.uint8], valid: NDArray[np.bool_]
    ) -> PlaceSeries:
        return PlaceSeries(
            label.name, label.dataset, label.split, label.gsd_m, label.years, images, valid
        )


def _label(entry: dict[str, Any]) -> PlaceLabel:
    return PlaceLabel(
        name=entry["name"],
        dataset=entry["dataset"],
        split=entry["split"],
        gsd_m=float("nan") if entry["gsd_m"] is None else float(entry["gsd_m"]),
        height=entry["height"],
        width=entry["width"],
        dates=tuple(dt.date.fromisoformat(text) for text in entry["dates"]),
        reference=dt.date.fromisoformat(entry["reference"]),
    )
