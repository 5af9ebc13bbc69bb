"""A series store seen as pairs of dates, for what reads pair stores."""

from __future__ import annotations

import zlib
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.pairs.arrays import DTYPES, LABELS, SPLITS, TILE_PX, Pairs
from preprocessing.radiometry.colour_transport import ColourTransport
from preprocessing.rasters.dates import years_between
from preprocessing.series.store import PlaceLabel, SeriesStore

__all__ = ["SeriesPairs"]

_LEAST_SEEN = 0.9


class SeriesPairs:
    """Every pair of dates of every tile of a series store; reads like a `PairStore`.

    Both dates show at least nine tenths of the tile. The later one has the colours of the earlier
    one by the maps of `PlaceSeries.colour_maps`, which are found when a place is first read.

    Attributes:
        location: Folder or URL of the store.
        side_px: Side of the tiles in pixels.
    """

    side_px = TILE_PX

    def __init__(self, store: SeriesStore) -> None:
        self.location = store.location
        self._store = store
        self._names = store.names
        parts = [_pairs_of(number, name, store) for number, name in enumerate(store.names)]
        self._place, self._tile, self._first, self._second = np.concatenate(parts).T
        self._columns = self._labels()
        self._maps = cache(self._maps_of)

    def __len__(self) -> int:
        return len(self._place)

    def column(self, name: str) -> NDArray[Any]:
        """One value a pair, see `PairStore.column`."""
        if name not in self._columns:
            raise ValueError(f"expected one of {', '.join(self._columns)}, got {name!r}")
        return self._columns[name].copy()

    def read_some(self, index: NDArray[Any]) -> Pairs:
        """Read the pairs at `index`, in its order; see `PairStore.read_some`.

        Raises:
            SeriesStoreError: The store is damaged or out of reach.
        """
        rows = np.arange(len(self))[index]
        tiles = [self._pair(row) for row in rows]
        shape = (len(rows), 3, TILE_PX, TILE_PX)
        past, future = (np.array([t[i] for t in tiles], np.uint8).reshape(shape) for i in (0, 1))
        valid = np.array([t[2] for t in tiles], bool).reshape(len(rows), TILE_PX, TILE_PX)
        labels = {name: values[rows] for name, values in self._columns.items()}
        return Pairs(past=past, future=future, valid=valid, **labels)

    def checksums(self) -> NDArray[np.uint32]:
        """A number a pair that depends on its images and labels, `(n,)`."""
        sums = [self._store.column(name, "checksum") for name in self._names]
        labels = np.rec.fromarrays([self._columns[name] for name in LABELS])
        found = np.zeros(len(self), np.uint32)
        for row, place in enumerate(self._place):
            of_tile = sums[place][self._tile[row]]
            both = of_tile[[self._first[row], self._second[row]]]
            found[row] = zlib.crc32(labels[row].tobytes(), zlib.crc32(both.tobytes()))
        return found

    def complete(self) -> NDArray[np.bool_]:
        """Whether all pixels of a pair are observed at both dates, `(n,)`."""
        seen = [self._store.column(name, "seen") for name in self._names]
        return np.array(
            [
                seen[place][tile, first] == seen[place][tile, second] == 1
                for place, tile, first, second in zip(
                    self._place, self._tile, self._first, self._second, strict=True
                )
            ],
            bool,
        )

    def _labels(self) -> dict[str, NDArray[Any]]:
        labels = [self._store.labels[name] for name in self._names]
        places = [labels[place] for place in self._place]
        dates = [
            (label.dates[first], label.dates[second])
            for label, first, second in zip(places, self._first, self._second, strict=True)
        ]
        corners = [label.corners for label in labels]
        at = [corners[place][tile] for place, tile in zip(self._place, self._tile, strict=True)]
        found: dict[str, Any] = {
            "years": [years_between(*both) for both in dates],
            "gsd_m": [label.gsd_m for label in places],
            "row": [row for row, _ in at],
            "col": [col for _, col in at],
            "split": [SPLITS.index(label.split) for label in places],
        }
        columns = {name: np.array(values, DTYPES[name]) for name, values in found.items()}
        sources = [_source(label, *both) for label, both in zip(places, dates, strict=True)]
        return {**columns, "source": np.array(sources, np.str_)}

    def _maps_of(self, place: int) -> tuple[ColourTransport | None, ...]:
        return self._store.place(self._names[place]).colour_maps(-1)

    def _pair(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """Both dates and where both are valid; each takes the other's values where it is not."""
        place, tile = int(self._place[row]), int(self._tile[row])
        name = self._names[place]
        parts = []
        for date in (int(self._first[row]), int(self._second[row])):
            images, valid = self._store.read(name, slice(tile, tile + 1), slice(date, date + 1))
            parts.append((images[0, 0], valid[0, 0], self._maps(place)[date]))
        (past, seen, back), (future, seen_later, there) = parts
        if back is None or there is None:  # No ground in common: nothing is known of this pair.
            return past, past, np.zeros_like(seen)
        mapped = back.inverse().apply(there.apply(future))
        future = np.clip(np.rint(mapped), 0, 255).astype(np.uint8)
        return (
            np.where(seen, past, future),
            np.where(seen_later, future, past),
            seen & seen_later,
        )


def _pairs_of(number: int, name: str, store: SeriesStore) -> NDArray[np.intp]:
    """Rows (place, tile, earlier, later) of a place."""
    enough = store.column(name, "seen") >= _LEAST_SEEN
    rows = [
        (number, tile, first, second)
        for tile, dates in enumerate(enough)
        for first, second in combinations(np.flatnonzero(dates), 2)
    ]
    return np.array(rows, np.intp).reshape(-1, 4)


def _source(label: PlaceLabel, earlier: Any, later: Any) -> str:
    place = label.name.removeprefix(f"{label.dataset}/")
    return f"{label.dataset}/{place}/{earlier}/{later}"
