"""Pairs mixed by dataset and augmented, read when drawn, as a pure function of the step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.history import History
from forecast.objects import Segments
from forecast.pair_history import find_chains, history_of
from forecast.patches import FACTOR, to_low
from preprocessing.errors import PairStoreError
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs

__all__ = ["Batch", "PairData"]

_BLOCK = 64  # Pairs in memory where more are asked for than a batch.


@dataclass(frozen=True)
class Batch:
    """Pairs as tensors.

    Attributes:
        past: `(b, 3, 128, 128)` float32, 0..1.
        difference: `(b, 3, h, w)` future minus past over block means, 0..1 units; 32 x 32 of
            4x4 means by default.
        weight: `(b, 1, h, w)`, 1 where all pixels of the block are valid at both dates.
        years: `(b,)` horizon.
        gsd_m: `(b,)` metres per pixel of the past, 0 where not known.
        history: Earlier dates.
        segments: Objects of the past, where they are known already.
    """

    past: Tensor
    difference: Tensor
    weight: Tensor
    years: Tensor
    gsd_m: Tensor
    history: History
    segments: Segments | None = None

    def part(self, items: slice) -> Batch:
        """Some of the items."""
        return self._each(lambda value: value[items])

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return self._each(lambda value: value.to(device))

    def _each(self, change: Callable[[Any], Any]) -> Batch:
        values: dict[str, Any] = {}
        for name in Batch.__dataclass_fields__:
            value = getattr(self, name)
            values[name] = None if value is None else change(value)
        return Batch(**values)

    @classmethod
    def of(
        cls,
        past: Tensor,
        future: Tensor,
        valid: Tensor,
        years: Tensor,
        gsd_m: Tensor,
        history: History | None = None,
        *,
        factor: int = FACTOR,
    ) -> Batch:
        """Build from full-resolution tiles; `valid` is `(b, 1, 128, 128)` float."""
        low = to_low(past, factor)
        return cls(
            past,
            to_low(future, factor) - low,
            (to_low(valid, factor) > 0.999).float(),
            years,
            gsd_m,
            History.none(low) if history is None else history,
        )


class PairData:
    """Draws batches; batch `step` depends on seed and step alone, so a run can be resumed.

    Args:
        index: Labels of the pairs to draw from; their images are read when they are drawn.
        seed: Of order and augmentation.
        mixing_power: Datasets (the first part of `source`) are drawn in proportion to their
            number of pairs to this power; 1 draws pairs evenly, 0 datasets evenly.
        dataset_weights: Factors on that, by dataset; 1 for those not named.
        horizon_power: Within a dataset pairs are drawn in proportion to `years ** -horizon_power`.
        colour_jitter: Largest shared relative change of gain and absolute change of offset.
        gsd_dropout: Share of the items of a training batch whose metres per pixel are withheld.
        history: Earlier dates of a pair, taken from the other pairs where they have them.
        history_dropout: Share of them that are withheld in a training batch.
    """

    def __init__(
        self,
        index: PairIndex,
        *,
        seed: int,
        mixing_power: float = 1.0,
        dataset_weights: Mapping[str, float] | None = None,
        horizon_power: float = 0.0,
        colour_jitter: float = 0.0,
        gsd_dropout: float = 0.0,
        history: int = 0,
        history_dropout: float = 0.0,
    ) -> None:
        self.index = index
        self._seed = seed
        self._jitter = colour_jitter
        self._gsd_dropout = gsd_dropout
        self._history_dropout = history_dropout
        self._chains = find_chains(
            index.source, index.row, index.col, index.years, count=history, store=index.store
        )
        names, inverse, counts = np.unique(index.dataset, return_inverse=True, return_counts=True)
        favour = index.years.astype(float) ** -horizon_power
        weights = dict(dataset_weights or {})
        if unknown := sorted(set(weights) - set(names.tolist())):
            raise PairStoreError(
                f"expected dataset_weights for {', '.join(names.tolist())}, got also "
                f"{', '.join(unknown)}; correct the recipe or name the stores that hold them"
            )
        weight = np.array([weights.get(name, 1.0) for name in names.tolist()])
        if not weight.any():
            raise PairStoreError("expected a dataset with a weight above 0, got none")
        share = weight * counts**mixing_power / np.bincount(inverse, favour)
        probability = favour * share[inverse]
        self._probability = probability / probability.sum()
        self.counts = dict(zip(names.tolist(), counts.tolist(), strict=True))

    @property
    def horizon_years(self) -> tuple[float, float]:
        """Shortest and longest horizon."""
        return float(self.index.years.min()), float(self.index.years.max())

    @property
    def gsd_m(self) -> tuple[float, float]:
        """Smallest and largest metres per pixel that are known; zeros where none is."""
        known = self.index.gsd_m[np.isfinite(self.index.gsd_m)]
        return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)

    def fingerprint(self) -> str:
        """SHA-256 over the sources of the pairs and the checksums of their images and labels."""
        digest = hashlib.sha256("\n".join(self.index.source.tolist()).encode())
        digest.update(self.index.checksums().tobytes())
        return digest.hexdigest()

    def target_scale(self, sample: int = 512, *, factor: int = FACTOR) -> float:
        """Standard deviation of the difference, over a seeded sample of draws."""
        generator = np.random.default_rng([self._seed, 1])
        difference, weight = self.differences(self._draw(generator, sample), factor=factor)
        weighted = (difference**2 * weight).sum()
        return float((weighted / (weight.sum() * 3).clamp_min(1)).sqrt())

    def batch(self, step: int, size: int, *, factor: int = FACTOR) -> Batch:
        """The augmented batch of a training step, differences over `factor` x `factor` means."""
        generator = np.random.default_rng([self._seed, 0, step])
        index = self._draw(generator, size)
        pairs = self.index.read(index)
        past, future, valid, years, gsd_m = _tensors(pairs)
        history = history_of(pairs, self._chains[index], self.index.read, factor=factor)
        if history.years.shape[1] > 0:
            # Draws of their own: a run without history sees the same batches.
            chance = np.random.default_rng([self._seed, 2, step]).random(history.years.shape)
            history = history.kept(torch.from_numpy(chance >= self._history_dropout))
        earlier = history.pictures
        for item in range(size):
            if generator.random() < self._gsd_dropout:
                gsd_m[item] = 0
            turns, flip = int(generator.integers(4)), bool(generator.integers(2))
            for tensor in (past, future, valid, earlier):
                tile = torch.rot90(tensor[item], turns, (-2, -1))
                tensor[item] = tile.flip(-1) if flip else tile
        gain = 1 + self._jitter * torch.as_tensor(generator.uniform(-1, 1, (size, 3, 1, 1)))
        offset = self._jitter / 2 * torch.as_tensor(generator.uniform(-1, 1, (size, 3, 1, 1)))
        past, future = ((image * gain + offset).float() for image in (past, future))
        earlier = (earlier * gain[:, None] + offset[:, None]).float()
        history = History(earlier, history.years)
        return Batch.of(past, future, valid, years, gsd_m, history, factor=factor)

    def batch_of(self, index: NDArray[np.intp], *, factor: int = FACTOR) -> Batch:
        """The pairs at `index`, as they are, without their history."""
        return Batch.of(*_tensors(self.index.read(index)), factor=factor)

    def differences(
        self, index: NDArray[np.intp], *, factor: int = FACTOR
    ) -> tuple[Tensor, Tensor]:
        """Difference and weight of many pairs, see `Batch`; only a block is read at a time."""
        found = []
        for start in range(0, len(index), _BLOCK):
            batch = self.batch_of(index[start : start + _BLOCK], factor=factor)
            found.append((batch.difference, batch.weight))
        difference, weight = zip(*found, strict=True)
        return torch.cat(difference), torch.cat(weight)

    def colours(self, index: NDArray[np.intp], *, factor: int = FACTOR) -> Tensor:
        """Block means of many pairs, past and future, where valid: `(3, n)`."""
        found = []
        for start in range(0, len(index), _BLOCK):
            batch = self.batch_of(index[start : start + _BLOCK], factor=factor)
            past = to_low(batch.past, factor)
            seen = batch.weight[:, 0] > 0
            for image in (past, past + batch.difference):
                found.append(image.transpose(0, 1)[:, seen])
        return torch.cat(found, dim=1)

    def history(self, index: NDArray[np.intp], *, factor: int = FACTOR) -> History:
        """The earlier dates of the pairs at `index`."""
        present, chains = self.index.read(index), self._chains[index]
        return history_of(present, chains, self.index.read, factor=factor)

    def _draw(self, generator: np.random.Generator, size: int) -> NDArray[np.intp]:
        return generator.choice(len(self.index), size, p=self._probability)


def _tensors(pairs: Pairs) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    past = torch.from_numpy(pairs.past).float() / 255
    future = torch.from_numpy(pairs.future).float() / 255
    valid = torch.from_numpy(pairs.valid).float()[:, None]
    years = torch.from_numpy(pairs.years).float()
    gsd_m = torch.from_numpy(np.nan_to_num(pairs.gsd_m)).float()
    return past, future, valid, years, gsd_m
