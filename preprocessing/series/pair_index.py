"""Labels of the pairs of some stores: pairs are chosen by them, images are read when needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import PairStoreError
from preprocessing.pairs.location import location_of, open_group
from preprocessing.pairs.store import SPLITS, TILE_PX, Pairs, PairStore
from preprocessing.series.pairs import SeriesPairs
from preprocessing.series.store import FORMAT, SeriesStore

__all__ = ["PairIndex", "choose_evenly", "open_pairs"]


@dataclass(frozen=True)
class PairIndex:
    """The pairs of one split of several stores; all arrays share the first axis.

    Attributes:
        stores: Opened stores.
        store: `(n,)` number of the store of each pair.
        number: `(n,)` number of the pair in its store.
        years: `(n,)` horizons.
        row: `(n,)` first row of the tile on the grid of its raster pair.
        col: `(n,)` first column.
        gsd_m: `(n,)` metres per pixel; NaN where unknown.
        source: `(n,)` strings `dataset/place/earlier/later`; the place may have further parts.
    """

    stores: tuple[PairStore | SeriesPairs, ...]
    store: NDArray[np.intp]
    number: NDArray[np.intp]
    years: NDArray[np.float32]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    gsd_m: NDArray[np.float32]
    source: NDArray[np.str_]

    @classmethod
    def of(
        cls, paths: Sequence[str | Path], split: str, *, side_px: int | None = TILE_PX
    ) -> PairIndex:
        """Read the labels.

        Args:
            paths: Folders or addresses of pair stores, or of series stores.
            split: `train`, `val` or `test`.
            side_px: Side of the tiles; None for that of the first store.

        Raises:
            PairStoreError: A store cannot be read, has tiles of another size, or no store has a
                pair of this split.
        """
        stores = tuple(open_pairs(path) for path in paths)
        wanted = side_px or stores[0].side_px
        columns: dict[str, list[NDArray[Any]]] = {"store": [], "number": []}
        for which, store in enumerate(stores):
            if store.side_px != wanted:
                raise PairStoreError(
                    f"expected tiles of {wanted} px, {store.location} has {store.side_px} px; "
                    "prepare all pairs with one tile size"
                )
            chosen = np.flatnonzero(store.column("split") == SPLITS.index(split))
            columns["store"].append(np.full(len(chosen), which))
            columns["number"].append(chosen)
            for name in ("years", "row", "col", "gsd_m", "source"):
                columns.setdefault(name, []).append(store.column(name)[chosen])
        index = cls(stores, **{name: np.concatenate(parts) for name, parts in columns.items()})
        if len(index) == 0:
            places = ", ".join(str(store.location) for store in stores)
            raise PairStoreError(
                f"expected pairs of the split '{split}' in {places}, found none; "
                "name another split or other stores"
            )
        return index

    def __len__(self) -> int:
        return len(self.store)

    @cached_property
    def dataset(self) -> NDArray[np.str_]:
        """`(n,)` first part of the source."""
        return np.array([str(source).split("/")[0] for source in self.source])

    @cached_property
    def place(self) -> NDArray[np.str_]:
        """`(n,)` source without dataset and dates."""
        return np.array(["/".join(str(source).split("/")[1:-2]) for source in self.source])

    def checksums(self) -> NDArray[np.uint32]:
        """CRC-32 of each pair, images and labels: `(n,)`."""
        return self._gathered([store.checksums() for store in self.stores])

    def complete(self) -> NDArray[np.bool_]:
        """Whether all pixels of a pair are observed at both dates: `(n,)`."""
        return self._gathered([store.complete() for store in self.stores])

    def _gathered(self, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Values of all pairs of each store as values of the pairs of the index."""
        found = np.empty(len(self), parts[0].dtype)
        for which, part in enumerate(parts):
            inside = self.store == which
            found[inside] = part[self.number[inside]]
        return found

    def read(self, index: NDArray[np.intp]) -> Pairs:
        """Read some pairs with their images, in the order of `index`."""
        parts, order = [], []
        for which in np.unique(self.store[index]):
            inside = np.flatnonzero(self.store[index] == which)
            parts.append(self.stores[which].read_some(self.number[index[inside]]))
            order.append(inside)
        return Pairs.joined(parts).take(np.argsort(np.concatenate(order)))


def open_pairs(path: str | Path) -> PairStore | SeriesPairs:
    """A pair store, or a series store seen as pairs.

    Raises:
        PairStoreError: Neither is there, or it cannot be read.
    """
    group, _ = open_group(location_of(path), None)
    if group.attrs.get("format") == FORMAT:
        return SeriesPairs(SeriesStore.open(path))
    return PairStore(path)


def choose_evenly(datasets: NDArray[np.str_], total: int, *, seed: int = 0) -> NDArray[np.intp]:
    """A seeded choice of about `total` items, as evenly over the datasets as they allow.

    Args:
        datasets: `(n,)` dataset of each item.
        total: Items wanted in all; each dataset gives at most its even share, at least one.
        seed: Of the choice.

    Returns:
        Indices, dataset by dataset in the order of their names, rising within one.
    """
    generator = np.random.default_rng(seed)
    names = np.unique(datasets)
    share = max(1, total // len(names))
    return np.concatenate(
        [np.sort(generator.permutation(np.flatnonzero(datasets == name))[:share]) for name in names]
    )
