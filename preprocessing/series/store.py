"""Series stores: tiles of every date of many places on disk, in Zarr, and places made of them."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import SeriesStoreError
from preprocessing.pairs.arrays import TILE_PX
from preprocessing.pairs.location import location_of, open_group, reading_errors
from preprocessing.rasters.dates import decimal_year
from preprocessing.series.place import PlaceSeries

__all__ = ["FORMAT", "PlaceLabel", "SeriesStore", "checksum"]

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
        rows, cols = range(0, self.height, TILE_PX), range(0, self.width, TILE_PX)
        return [(row, col) for row in rows for col in cols]


def checksum(image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> int:
    """CRC-32 of a tile of a date, because Zarr reads missing files as zeros."""
    return zlib.crc32(
        np.ascontiguousarray(valid).data, zlib.crc32(np.ascontiguousarray(image).data)
    )


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
        tiles, valid = self.read(name)
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
        tiles, valid = self.read(name, slice(number, number + 1))
        return self._series(label, tiles[0], valid[0])

    def tiles(self, name: str) -> Iterator[PlaceSeries]:
        """All tiles of a place in turn, see `tile`."""
        for number in range(len(self._known(name).corners)):
            yield self.tile(name, number)

    def column(self, name: str, column: str) -> NDArray[Any]:
        """One value a tile and date of a place, `(t, d)`, without reading images.

        Args:
            name: Name of the place.
            column: `seen`, the share of pixels observed, or `checksum`, see there.

        Raises:
            SeriesStoreError: See `place`.
        """
        self._known(name)
        with self._reading(name):
            values: NDArray[Any] = self._group[f"{self._paths[name]}/{column}"][:]
        return values

    def read(
        self,
        name: str,
        tiles: slice = slice(None),
        dates: slice = slice(None),
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Read tiles as they are stored.

        Returns:
            Images `(t, d, 3, 128, 128)` and where they are valid, `(t, d, 128, 128)`.

        Raises:
            SeriesStoreError: There is no such place, or what is stored is not what was written.
        """
        self._known(name)
        path = self._paths[name]
        with self._reading(name):
            images = self._group[f"{path}/images"][tiles, dates]
            valid = self._group[f"{path}/valid"][tiles, dates]
        wanted = self.column(name, "checksum")[tiles, dates]
        for at in np.ndindex(*wanted.shape):
            if checksum(images[at], valid[at]) != wanted[at]:
                raise SeriesStoreError(
                    f"expected the tiles of {name} in {self.location} as they were written, a "
                    "checksum differs; a file is missing or damaged, copy the store again"
                )
        return images, valid

    def _known(self, name: str) -> PlaceLabel:
        if name not in self.labels:
            some = ", ".join(self.names[:8]) + (", ..." if len(self.names) > 8 else "")
            raise SeriesStoreError(
                f"expected a place of {self.location} ({some}), got {name!r}; "
                "see SeriesStore.names for all"
            )
        return self.labels[name]

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except reading_errors() as err:
            raise SeriesStoreError(
                f"expected the tiles of {name} in {self.location}, they cannot be read "
                f"({type(err).__name__}: {err}); copy or prepare the store again"
            ) from err

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
