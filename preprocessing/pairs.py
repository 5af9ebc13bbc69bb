"""Pair stores: past and future tiles on disk, in Zarr, ready to train on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from preprocessing.errors import PairStoreError

__all__ = ["SPLITS", "TILE_PX", "PairStore", "Pairs"]

TILE_PX = 128
SPLITS = ("train", "val", "test")
_FORMAT = "landcast-pairs/1"
_CHUNK = 64


@dataclass(frozen=True)
class Pairs:
    """A batch of tile pairs in memory; all arrays share the first axis `n`.

    Attributes:
        past: `(n, 3, 128, 128)` uint8, 0..255 over the sensor's value range.
        future: Like `past`, on the same grid, histogram-matched to it.
        valid: `(n, 128, 128)` bool, True where both dates are observed.
        years: `(n,)` float32, years from past to future, > 0.
        gsd_m: `(n,)` float32, metres per pixel; NaN where unknown.
        row: `(n,)` int32, first row of the tile on the common grid.
        col: `(n,)` int32, first column.
        split: `(n,)` uint8, index into `SPLITS`.
        source: `(n,)` strings `dataset/place/earlier/later`.
    """

    past: NDArray[np.uint8]
    future: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    years: NDArray[np.float32]
    gsd_m: NDArray[np.float32]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    split: NDArray[np.uint8]
    source: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.past)

    def __post_init__(self) -> None:
        n = len(self.past)
        tile = (TILE_PX, TILE_PX)
        shapes = {
            "past": (n, 3, *tile),
            "future": (n, 3, *tile),
            "valid": (n, *tile),
            **dict.fromkeys(("years", "gsd_m", "row", "col", "split", "source"), (n,)),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                got = getattr(self, name).shape
                raise ValueError(f"pairs: expected {name} of shape {shape}, got {got}")

    def take(self, index: NDArray[Any]) -> Pairs:
        """The pairs at `index` (integers or a boolean mask)."""
        return Pairs(**{name: getattr(self, name)[index] for name in _FIELDS})


_FIELDS = ("past", "future", "valid", "years", "gsd_m", "row", "col", "split", "source")
_DTYPES = {
    "past": "uint8",
    "future": "uint8",
    "valid": "bool",
    "years": "float32",
    "gsd_m": "float32",
    "row": "int32",
    "col": "int32",
    "split": "uint8",
    "source": "uint32",
}


class PairStore:
    """An appendable Zarr v3 group of pairs.

    Args:
        path: Folder of the store.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            # zarr types a member as array, group or scalar; here all members are arrays.
            self._group: Any = zarr.open_group(str(path), mode="r+")
        except (OSError, ValueError, zarr.errors.BaseZarrError) as err:
            raise PairStoreError(
                f"expected a pair store at {path}, found none; make one with 'landcast prepare'"
            ) from err
        if self._group.attrs.get("format") != _FORMAT:
            raise PairStoreError(
                f"expected a store of format {_FORMAT} at {path}, "
                f"got {self._group.attrs.get('format')!r}; prepare it again"
            )

    @classmethod
    def create(cls, path: str | Path) -> PairStore:
        """Make an empty store; the folder must not exist."""
        group = zarr.open_group(str(path), mode="w-")
        for name in _FIELDS:
            tail = {"past": (3, TILE_PX, TILE_PX), "future": (3, TILE_PX, TILE_PX)}.get(
                name, (TILE_PX, TILE_PX) if name == "valid" else ()
            )
            images = len(tail) > 0
            group.create_array(
                name,
                shape=(0, *tail),
                dtype=_DTYPES[name],
                chunks=(8, *tail) if images else (1024,),
                shards=(_CHUNK, *tail) if images else None,
            )
        group.attrs.update({"format": _FORMAT, "sources": []})
        return cls(path)

    def __len__(self) -> int:
        return int(self._group["years"].shape[0])

    @property
    def attrs(self) -> dict[str, Any]:
        """Free metadata: settings, sources, report."""
        return dict(self._group.attrs)

    def note(self, **values: Any) -> None:
        """Add metadata (JSON values)."""
        self._group.attrs.update(values)

    def append(self, pairs: Pairs) -> None:
        """Add pairs at the end."""
        sources = list(self._group.attrs["sources"])
        sources += [name for name in np.unique(pairs.source).tolist() if name not in sources]
        self._group.attrs["sources"] = sources
        number = {name: index for index, name in enumerate(sources)}
        for name in _FIELDS:
            array = self._group[name]
            values = getattr(pairs, name)
            if name == "source":
                values = np.array([number[str(source)] for source in values], dtype=np.uint32)
            array.append(values.astype(array.dtype))

    def read(self, split: str | None = None) -> Pairs:
        """Read all pairs, or those of one split, into memory."""
        keep = np.ones(len(self), dtype=bool)
        if split is not None:
            keep = self._group["split"][:] == SPLITS.index(split)
        values = {name: self._group[name][:][keep] for name in _FIELDS}
        names = np.array(self._group.attrs["sources"] or [""])
        return Pairs(**{**values, "source": names[values["source"]]})
