"""Pair stores as a PyTorch dataset: crops, flips and rotations, several stores and workers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from preprocessing.errors import PairStoreError
from preprocessing.pairs.store import SPLITS, TILE_PX, Pairs, PairStore

__all__ = ["Draw", "MixedSampler", "PairDataset", "PairSample"]


class Draw(NamedTuple):
    """One draw of a sampler: crop, flip and rotation follow from it and the dataset's seed.

    Attributes:
        pair: Index in the dataset.
        epoch: Of the training.
        place: Of the draw within the epoch.
    """

    pair: int
    epoch: int = 0
    place: int = 0


class PairSample(TypedDict):
    """One pair as tensors; the default collation makes batches of it.

    Attributes:
        past: `(3, crop, crop)` float32, 0..1.
        future: Like `past`.
        valid: `(1, crop, crop)` float32, 1 where both dates are observed.
        years: `()` float32, from past to future.
        gsd_m: `()` float32, metres per pixel; NaN where unknown.
        index: `()` int64, of the pair in the dataset.
    """

    past: Tensor
    future: Tensor
    valid: Tensor
    years: Tensor
    gsd_m: Tensor
    index: Tensor


class PairDataset(Dataset[PairSample]):
    """Pairs of several stores, read when asked for; safe in worker processes.

    What a draw yields depends on the seed, the pair and the draw's epoch and place alone, not on
    the number of workers or the batch. Whole numbers as index count as draws of epoch 0.

        data = PairDataset(["naip.zarr", "https://example.org/landsat.zarr"], "train")
        sampler = data.sampler(20_000)
        loader = DataLoader(data, batch_size=64, sampler=sampler, num_workers=4)
        for epoch in range(first_epoch, 100):
            sampler.set_epoch(epoch)
            for batch in loader: ...

    Args:
        stores: Folders or URLs.
        split: Only this split; None for all.
        weights: Share of the draws of `sampler` for each store, in any unit; default: in
            proportion to their pairs.
        crop: Side of the samples in pixels; tiles of larger sides are cropped.
        random_crops: Crop anywhere; False crops the centre.
        flips_and_rotations: Draw one of the eight symmetries of the square.
        seed: Of crops, symmetries and the sampler's order.
        storage_options: For URLs, see `PairStore`.

    Raises:
        PairStoreError: A store cannot be read, its tiles are smaller than the crop, or none holds
            a pair of the split.
        ValueError: Not one weight, at least 0, for each store.
    """

    def __init__(
        self,
        stores: Sequence[str | Path],
        split: str | None = "train",
        *,
        weights: Sequence[float] | None = None,
        crop: int = TILE_PX,
        random_crops: bool = True,
        flips_and_rotations: bool = True,
        seed: int = 0,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        self.stores = tuple(str(path) for path in stores)
        self.split = split
        self.crop = crop
        self.random_crops = random_crops
        self.flips_and_rotations = flips_and_rotations
        self.seed = seed
        self._options = storage_options
        self._opened: dict[int, PairStore] = {}
        self._process = os.getpid()
        rows = [self._rows_of(number) for number in range(len(self.stores))]
        self._row = np.concatenate([np.zeros(0, np.intp), *rows])
        self.counts = tuple(len(part) for part in rows)
        """Pairs of the split by store."""
        self._start = np.cumsum([0, *self.counts])
        if len(self) == 0:
            kind = f"the split '{split}'" if split else "any split"
            raise PairStoreError(
                f"expected pairs of {kind} in {', '.join(self.stores) or 'no store'}, found none; "
                "name other stores or another split"
            )
        self.weights = _checked(weights, self.stores, self.counts)

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, index: int | Draw) -> PairSample:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int | Draw]) -> list[PairSample]:
        """Read a batch: each store once."""
        draws = [i if isinstance(i, Draw) else Draw(int(i)) for i in indices]
        index = np.arange(len(self))[[draw.pair for draw in draws]]
        number = np.searchsorted(self._start, index, side="right") - 1
        samples: dict[int, PairSample] = {}
        for store in np.unique(number).tolist():
            places = np.flatnonzero(number == store)
            pairs = self._open(store).read_some(self._row[index[places]])
            for i, place in enumerate(places.tolist()):
                draw = draws[place]._replace(pair=int(index[place]))
                samples[place] = self._sample(pairs, i, draw)
        return [samples[place] for place in range(len(draws))]

    def sampler(self, draws: int | None = None, *, shuffle: bool = True) -> MixedSampler:
        """A sampler that mixes the stores by the weights.

        Args:
            draws: Samples an epoch; default the number of pairs.
            shuffle: Draw anew each epoch; False draws the same each epoch, in the order of the
                pairs (for scores).
        """
        return MixedSampler(
            self.counts, self.weights, draws=draws or len(self), seed=self.seed, shuffle=shuffle
        )

    def __getstate__(self) -> dict[str, Any]:
        # Open stores hold connections and event loops, which a worker must not take over.
        return {**self.__dict__, "_opened": {}}

    def _open(self, number: int) -> PairStore:
        if self._process != os.getpid():  # Forked: the parent's stores are of no use here.
            self._opened, self._process = {}, os.getpid()
        if number not in self._opened:
            path = self.stores[number]
            self._opened[number] = PairStore(path, storage_options=self._options)
        return self._opened[number]

    def _rows_of(self, number: int) -> NDArray[np.intp]:
        store = self._open(number)
        if store.side_px < self.crop:
            raise PairStoreError(
                f"expected tiles of at least {self.crop} px to crop, {store.location} holds "
                f"{store.side_px} px; ask for smaller crops or leave the store out"
            )
        if self.split is None:
            return np.arange(len(store))
        return np.flatnonzero(store.column("split") == SPLITS.index(self.split))

    def _sample(self, pairs: Pairs, i: int, draw: Draw) -> PairSample:
        # Always the same draws in the same order, so that switching one kind of variation off
        # does not change the other.
        rng = np.random.default_rng([self.seed, *draw])
        spare = pairs.side_px - self.crop
        row, col = rng.integers(0, spare + 1, 2) if self.random_crops else (spare // 2, spare // 2)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        window = (..., slice(row, row + self.crop), slice(col, col + self.crop))

        def tensor(tile: NDArray[Any], scale: float) -> Tensor:
            cut = tile[window]
            if self.flips_and_rotations:
                cut = np.rot90(cut, turns, (-2, -1))
                cut = cut[..., ::-1] if flip else cut
            return torch.from_numpy(np.ascontiguousarray(cut)).float() / scale

        return PairSample(
            past=tensor(pairs.past[i], 255),
            future=tensor(pairs.future[i], 255),
            valid=tensor(pairs.valid[i][None], 1),
            years=torch.tensor(pairs.years[i]),
            gsd_m=torch.tensor(pairs.gsd_m[i]),
            index=torch.tensor(draw.pair),
        )


class MixedSampler(Sampler[Draw]):
    """Draws from several stores in fixed shares, a new order each epoch.

    Each store gets its exact share of an epoch's draws. Within a store no pair is drawn again
    before all are, so with more draws than pairs each pair is drawn equally often, give or take
    one. Each iteration is the next epoch; `set_epoch` chooses it, for example on resuming.

    Args:
        counts: Pairs by store.
        weights: Share of the draws by store, in any unit.
        draws: Samples an epoch.
        seed: Of the order.
        shuffle: False for the same draws in the order of the pairs.
    """

    def __init__(
        self,
        counts: Sequence[int],
        weights: Sequence[float],
        *,
        draws: int,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        if draws < 1:
            raise ValueError(f"expected at least one draw an epoch, got {draws}")
        self.draws_by_store = _shares(np.asarray(weights, np.float64), draws)
        """Draws an epoch by store; they add up to `draws`."""
        self.epoch = 0
        self._counts = tuple(counts)
        self._start = np.cumsum([0, *counts])
        self._draws, self._seed, self._shuffle = draws, seed, shuffle

    def __len__(self) -> int:
        return self._draws

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the next iteration."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Draw]:
        epoch = self.epoch if self._shuffle else 0
        self.epoch += 1
        rng = np.random.default_rng([self._seed, epoch])
        parts = [
            start + self._within(rng, count, draws)
            for start, count, draws in zip(
                self._start, self._counts, self.draws_by_store, strict=False
            )
        ]
        order = np.concatenate(parts)
        order = rng.permutation(order) if self._shuffle else np.sort(order)
        return (Draw(int(index), epoch, place) for place, index in enumerate(order))

    def _within(self, rng: np.random.Generator, count: int, draws: int) -> NDArray[np.intp]:
        rounds = -(-draws // count) if draws else 0
        orders = [rng.permutation(count) for _ in range(rounds)]
        return np.concatenate([np.zeros(0, np.intp), *orders])[:draws]


def _checked(
    weights: Sequence[float] | None, stores: Sequence[str], counts: Sequence[int]
) -> tuple[float, ...]:
    if weights is None:
        return tuple(float(count) for count in counts)
    values = np.asarray(weights, np.float64)
    if values.shape != (len(stores),) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(
            f"expected a weight of at least 0 for each of {len(stores)} stores, got {list(weights)}"
        )
    if not values.any():
        raise ValueError("expected a weight above 0 for some store, got only zeros")
    for store, weight, count in zip(stores, weights, counts, strict=True):
        if weight > 0 and count == 0:
            raise PairStoreError(
                f"expected pairs of the split in {store}, which has weight {weight:g}, found "
                "none; give it weight 0 or leave it out"
            )
    return tuple(values.tolist())


def _shares(weights: NDArray[np.float64], total: int) -> tuple[int, ...]:
    """Whole numbers in proportion to the weights that add up, by largest remainder (Hamilton)."""
    exact = weights / weights.sum() * total
    whole = np.floor(exact).astype(int)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: total - whole.sum()]] += 1
    return tuple(whole.tolist())
