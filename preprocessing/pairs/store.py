"""Pair stores: past and future tiles on disk, in Zarr, ready to train on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from preprocessing.errors import PairStoreError
from preprocessing.pairs.arrays import (
    CHECK,
    DTYPES,
    FIELDS,
    IMAGES,
    LABELS,
    SPLITS,
    TILE_PX,
    Pairs,
    checksums,
)
from preprocessing.pairs.location import is_remote, location_of, open_group, reading_errors

__all__ = ["SPLITS", "TILE_PX", "PairStore", "Pairs"]

_FORMAT = "landcast-pairs/1"
_CHUNK = 4  # Tiles of 128 px: one is read in the time of four, all in a third of that of ones.
_CHUNKS_A_SHARD = 64
_BLOCK = 256  # Pairs read in one go.
_READ_OVER = 8  # Reading a gap of so many pairs is quicker than starting again.
_CONNECTIONS = 8


class PairStore:
    """An appendable Zarr v3 group of pairs; the format is described in `docs/pairs.md`.

    Args:
        path: Folder of the store, or a URL that fsspec can read: `https://`, `s3://` and others
            (extra `remote`).
        storage_options: For URLs, given to fsspec: `{"anon": True}` for public buckets.

    Attributes:
        location: Folder or URL.
        read_only: True where the store cannot be written: web servers, protected folders.

    Raises:
        PairStoreError: No pair store is there, or it cannot be read.
    """

    def __init__(self, path: str | Path, *, storage_options: dict[str, Any] | None = None) -> None:
        self.location = location_of(path)
        # zarr types a member as array, group or scalar; here all members are arrays.
        self._group: Any
        self._storage_options = storage_options
        self._group, self.read_only = open_group(self.location, storage_options)
        if self._group.attrs.get("format") != _FORMAT:
            raise PairStoreError(
                f"expected a store of format {_FORMAT} at {self.location}, "
                f"got {self._group.attrs.get('format')!r}; prepare it again"
            )
        self._arrays: dict[str, Any] = {}
        self._columns: dict[str, NDArray[Any]] = {}

    @classmethod
    def create(cls, path: str | Path, *, side_px: int = TILE_PX) -> PairStore:
        """Make an empty store; the folder must not exist.

        Args:
            path: Folder, or URL of an object store.
            side_px: Side of the tiles in pixels.
        """
        if side_px < 1:
            raise ValueError(f"expected tiles of at least 1 px a side, got {side_px}")
        location = location_of(path)
        options: dict[str, Any] | None = {} if is_remote(location) else None
        group = zarr.open_group(location, mode="w-", storage_options=options)
        # As many bytes a chunk and shard whatever the side: 200 kB to read one tile, and 12 MB.
        chunk = max(1, _CHUNK * TILE_PX**2 // side_px**2)
        for name in (*FIELDS, CHECK):
            tail = {"past": (3, side_px, side_px), "future": (3, side_px, side_px)}.get(
                name, (side_px, side_px) if name == "valid" else ()
            )
            dtype = np.dtype(DTYPES[name])
            group.create_array(
                name,
                shape=(0, *tail),
                dtype=dtype,
                chunks=(chunk, *tail) if tail else (1024,),
                shards=(chunk * _CHUNKS_A_SHARD, *tail) if tail else None,
                compressors=BloscCodec(
                    cname="zstd", clevel=3, shuffle="bitshuffle", typesize=dtype.itemsize
                ),
            )
        group.attrs.update({"format": _FORMAT, "sources": [], "count": 0})
        return cls(path)

    def __len__(self) -> int:
        # Stores made before the count was noted have none.
        count = self._group.attrs.get("count")
        return int(self._array("years").shape[0] if count is None else count)

    @property
    def side_px(self) -> int:
        """Side of the tiles in pixels."""
        return int(self._array("past").shape[-1])

    @property
    def attrs(self) -> dict[str, Any]:
        """Free metadata: settings, sources, report."""
        return dict(self._group.attrs)

    def note(self, **values: Any) -> None:
        """Add metadata (JSON values)."""
        self._check_writable()
        self._group.attrs.update(values)

    def append(self, pairs: Pairs) -> None:
        """Add pairs at the end, of a store just made or of a finished one.

        The new length is noted last: if the work is cut off before, the store is as it was. One
        process may append at a time; those that read meanwhile see the length at their opening.

        Raises:
            PairStoreError: The store cannot be written, or holds tiles of another side.
        """
        self._check_writable()
        if len(pairs) == 0:
            return
        if pairs.side_px != self.side_px:
            raise PairStoreError(
                f"expected tiles of {self.side_px} px for {self.location}, got "
                f"{pairs.side_px} px; put them into a store of their own"
            )
        self._catch_up()
        self._columns = {}
        start = len(self)
        sources = list(self._group.attrs["sources"])
        known = set(sources)
        sources += [name for name in np.unique(pairs.source).tolist() if name not in known]
        number = {name: index for index, name in enumerate(sources)}
        values = {name: np.asarray(getattr(pairs, name), DTYPES[name]) for name in IMAGES}
        values |= {name: np.asarray(getattr(pairs, name), DTYPES[name]) for name in LABELS}
        values["source"] = np.array([number[str(name)] for name in pairs.source], np.uint32)
        values[CHECK] = checksums(values)
        for name, rows in values.items():
            if name != CHECK or self._has_checksums:
                array = self._array(name)
                if array.shape[0] != start:  # Left by an appending that was cut off.
                    array.resize((start, *array.shape[1:]))
                array.append(rows)
        self._group.attrs.update({"sources": sources, "count": start + len(pairs)})

    def append_store(self, other: PairStore) -> None:
        """Add all pairs of another store, a shard at a time."""
        for block in other._blocks():
            self.append(other.read_some(block))

    def read(self, split: str | None = None) -> Pairs:
        """Read all pairs, or those of one split, into memory.

        Raises:
            PairStoreError: The store is damaged or out of reach.
        """
        index = np.arange(len(self))
        if split is not None:
            index = np.flatnonzero(self.column("split") == SPLITS.index(split))
        return self.read_some(index)

    def read_some(self, index: NDArray[Any] | Sequence[int] | slice) -> Pairs:
        """Read the pairs at `index` without the rest, in its order.

        Args:
            index: Whole numbers (negative ones count from the end), a boolean mask or a slice.

        Raises:
            IndexError: There is no such pair.
            PairStoreError: The store is damaged or out of reach.
        """
        chosen = np.asarray(index, np.intp) if isinstance(index, Sequence) else index
        rows = np.arange(len(self))[chosen]
        values = {name: self._rows(name, rows) for name in FIELDS}
        if self._has_checksums:
            wrong = np.flatnonzero(checksums(values) != self._rows(CHECK, rows))
            if wrong.size:
                raise PairStoreError(
                    f"expected pair {rows[wrong[0]]} of {self.location} as it was written, its "
                    "checksum differs; a file is missing or damaged, copy the store again"
                )
        return Pairs(**{**values, "source": self._names()[values["source"]]})

    def column(self, name: str) -> NDArray[Any]:
        """One value a pair without reading images; kept, so that reading pairs reads images only.

        Args:
            name: `years`, `gsd_m`, `row`, `col`, `split` or `source`.
        """
        if name not in (*LABELS, "source"):
            raise ValueError(f"expected one of {', '.join((*LABELS, 'source'))}, got {name!r}")
        values = self._column(name)
        return self._names()[values] if name == "source" else values.copy()

    def checksums(self) -> NDArray[np.uint32]:
        """CRC-32 of each pair, `(n,)`; stores of the first versions are read to compute it."""
        if self._has_checksums:
            return self._column(CHECK).copy()
        parts = [checksums(vars(self.read_some(block))) for block in self._blocks()]
        return np.concatenate([np.zeros(0, np.uint32), *parts])

    def complete(self) -> NDArray[np.bool_]:
        """Whether all pixels of a pair are observed at both dates, `(n,)`.

        Raises:
            PairStoreError: The store is damaged or out of reach.
        """
        found = np.zeros(len(self), np.bool_)
        for block in self._blocks():
            valid = self._rows("valid", block)
            found[block] = valid.all(axis=(1, 2))
            # Zarr reads a missing file as zeros: what seems to lack every pixel is checked.
            self.read_some(block[~valid.any(axis=(1, 2))])
        return found

    def _blocks(self) -> Iterator[NDArray[np.intp]]:
        for start in range(0, len(self), _BLOCK):
            yield np.arange(start, min(start + _BLOCK, len(self)))

    def _column(self, name: str) -> NDArray[Any]:
        if name not in self._columns:
            self._columns[name] = self._rows(name, np.arange(len(self)))
        return self._columns[name]

    @cached_property
    def _has_checksums(self) -> bool:
        """Stores of the first versions have none."""
        return CHECK in self._group

    def _names(self) -> NDArray[np.str_]:
        return np.array(self._group.attrs["sources"] or [""])

    def _array(self, name: str) -> Any:
        """Opened once: each opening is a request to a remote store."""
        if name not in self._arrays:
            self._arrays[name] = self._group[name]
        return self._arrays[name]

    def _rows(self, name: str, rows: NDArray[np.intp]) -> NDArray[Any]:
        if name in self._columns:
            return self._columns[name][rows]
        array = self._array(name)
        wanted, place = np.unique(rows, return_inverse=True)
        out = np.empty((len(wanted), *array.shape[1:]), array.dtype)
        spans = list(_spans(wanted))

        def read(span: slice) -> None:
            numbers = wanted[span]
            first, last = int(numbers[0]), int(numbers[-1])
            out[span] = array[first : last + 1][numbers - first]

        try:
            if is_remote(self.location) and len(spans) > 1:
                with ThreadPoolExecutor(min(_CONNECTIONS, len(spans))) as pool:
                    list(pool.map(read, spans))
            else:
                for span in spans:
                    read(span)
        except reading_errors() as err:
            raise PairStoreError(
                f"expected array {name} in {self.location}, it cannot be read "
                f"({type(err).__name__}: {err}); copy the store again, or, if it is remote, check "
                "the network and that the server answers range requests"
            ) from err
        same = len(wanted) == len(rows) and bool((wanted == rows).all())
        return out if same else out[place]

    def _catch_up(self) -> None:
        """See what was appended since the opening, so that it is not written over."""
        group, _ = open_group(self.location, self._storage_options)
        if group.attrs.get("count") != self._group.attrs.get("count"):
            self._group, self._arrays = group, {}

    def _check_writable(self) -> None:
        if self.read_only:
            raise PairStoreError(
                f"expected a store that can be written, {self.location} can only be read; "
                "copy it to a folder first"
            )


def _spans(index: NDArray[np.intp]) -> Iterator[slice]:
    """Parts of rising indices to read in one go: short gaps are read over, parts are bounded."""
    cuts = np.flatnonzero(np.diff(index) > _READ_OVER) + 1
    for start, stop in pairwise([0, *cuts.tolist(), len(index)]):
        for first in range(start, stop, _BLOCK):
            yield slice(first, min(first + _BLOCK, stop))
