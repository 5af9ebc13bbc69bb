"""Pairs in memory, mixed by dataset and augmented, drawn as a pure function of the step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.patches import to_low
from preprocessing.errors import PairStoreError
from preprocessing.pairs import Pairs, PairStore
from preprocessing.store_location import location_of

__all__ = ["Batch", "PairData", "read_pairs"]


@dataclass(frozen=True)
class Batch:
    """Pairs as tensors.

    Attributes:
        past: `(b, 3, 128, 128)` float32, 0..1.
        difference: `(b, 3, 32, 32)` future minus past over 4x4 means, 0..1 units.
        weight: `(b, 1, 32, 32)`, 1 where all sixteen pixels are valid at both dates.
        years: `(b,)` horizon.
        gsd_m: `(b,)` metres per pixel of the past, 0 where not known.
    """

    past: Tensor
    difference: Tensor
    weight: Tensor
    years: Tensor
    gsd_m: Tensor

    def part(self, items: slice) -> Batch:
        """Some of the items."""
        return Batch(*(getattr(self, name)[items] for name in Batch.__dataclass_fields__))

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(*(getattr(self, name).to(device) for name in Batch.__dataclass_fields__))

    @classmethod
    def of(cls, past: Tensor, future: Tensor, valid: Tensor, years: Tensor, gsd_m: Tensor) -> Batch:
        """Build from full-resolution tiles; `valid` is `(b, 1, 128, 128)` float."""
        return cls(
            past,
            to_low(future) - to_low(past),
            (to_low(valid) > 0.999).float(),
            years,
            gsd_m,
        )


def read_pairs(stores: Sequence[str | Path], split: str) -> Pairs:
    """All pairs of one split of several stores, in folders or behind URLs.

    Raises:
        PairStoreError: A store cannot be read, or none holds a pair of this split.
    """
    parts = [PairStore(path).read(split) for path in stores]
    pairs = Pairs(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Pairs.__dataclass_fields__
        }
    )
    if len(pairs) == 0:
        names = ", ".join(location_of(path) for path in stores)
        raise PairStoreError(f"expected pairs of the split '{split}' in {names}, found none")
    return pairs


class PairData:
    """Draws batches; batch `step` depends on seed and step alone, so a run can be resumed.

    Args:
        pairs: What to draw from.
        seed: Of order and augmentation.
        mixing_power: Datasets (the first part of `source`) are drawn in proportion to their
            number of pairs to this power; 1 draws pairs evenly, 0 datasets evenly.
        horizon_power: Within a dataset pairs are drawn in proportion to `years ** -horizon_power`.
        colour_jitter: Largest shared relative change of gain and absolute change of offset.
        gsd_dropout: Share of the items of a training batch whose metres per pixel are withheld.
    """

    def __init__(
        self,
        pairs: Pairs,
        *,
        seed: int,
        mixing_power: float = 1.0,
        horizon_power: float = 0.0,
        colour_jitter: float = 0.0,
        gsd_dropout: float = 0.0,
    ) -> None:
        self.pairs = pairs
        self._seed = seed
        self._jitter = colour_jitter
        self._gsd_dropout = gsd_dropout
        self.datasets = np.array([str(source).split("/")[0] for source in pairs.source])
        names, inverse, counts = np.unique(self.datasets, return_inverse=True, return_counts=True)
        favour = pairs.years.astype(float) ** -horizon_power
        share = counts**mixing_power / np.bincount(inverse, favour)
        probability = favour * share[inverse]
        self._probability = probability / probability.sum()
        self.counts = dict(zip(names.tolist(), counts.tolist(), strict=True))

    @property
    def horizon_years(self) -> tuple[float, float]:
        """Shortest and longest horizon."""
        return float(self.pairs.years.min()), float(self.pairs.years.max())

    @property
    def gsd_m(self) -> tuple[float, float]:
        """Smallest and largest metres per pixel that are known; zeros where none is."""
        known = self.pairs.gsd_m[np.isfinite(self.pairs.gsd_m)]
        return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)

    def fingerprint(self) -> str:
        """SHA-256 over horizons, places, resolutions and a sparse sample of the pixels."""
        digest = hashlib.sha256(self.pairs.years.tobytes())
        for values in (self.pairs.gsd_m, self.pairs.row, self.pairs.col):
            digest.update(np.ascontiguousarray(values).tobytes())
        digest.update("\n".join(self.pairs.source.tolist()).encode())
        for image in (self.pairs.past, self.pairs.future):
            digest.update(np.ascontiguousarray(image[:, :, ::32, ::32]).tobytes())
        digest.update(np.ascontiguousarray(self.pairs.valid[:, ::32, ::32]).tobytes())
        return digest.hexdigest()

    def target_scale(self, sample: int = 512) -> float:
        """Standard deviation of the difference, over a seeded sample of draws."""
        generator = np.random.default_rng([self._seed, 1])
        batch = self.batch_of(self._draw(generator, sample))
        weighted = (batch.difference**2 * batch.weight).sum()
        return float((weighted / (batch.weight.sum() * 3).clamp_min(1)).sqrt())

    def batch(self, step: int, size: int) -> Batch:
        """The augmented batch of a training step."""
        generator = np.random.default_rng([self._seed, 0, step])
        index = self._draw(generator, size)
        past, future, valid, years, gsd_m = self._tensors(index)
        for item in range(size):
            if generator.random() < self._gsd_dropout:
                gsd_m[item] = 0
            turns, flip = int(generator.integers(4)), bool(generator.integers(2))
            for tensor in (past, future, valid):
                tile = torch.rot90(tensor[item], turns, (1, 2))
                tensor[item] = tile.flip(2) if flip else tile
        gain = 1 + self._jitter * torch.as_tensor(generator.uniform(-1, 1, (size, 3, 1, 1)))
        offset = self._jitter / 2 * torch.as_tensor(generator.uniform(-1, 1, (size, 3, 1, 1)))
        past, future = ((image * gain + offset).float() for image in (past, future))
        return Batch.of(past, future, valid, years, gsd_m)

    def batch_of(self, index: NDArray[np.intp]) -> Batch:
        """The pairs at `index`, as they are."""
        return Batch.of(*self._tensors(index))

    def _draw(self, generator: np.random.Generator, size: int) -> NDArray[np.intp]:
        return generator.choice(len(self.pairs), size, p=self._probability)

    def _tensors(self, index: NDArray[np.intp]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        past = torch.from_numpy(self.pairs.past[index]).float() / 255
        future = torch.from_numpy(self.pairs.future[index]).float() / 255
        valid = torch.from_numpy(self.pairs.valid[index]).float()[:, None]
        years = torch.from_numpy(self.pairs.years[index]).float()
        gsd_m = torch.from_numpy(np.nan_to_num(self.pairs.gsd_m[index])).float()
        return past, future, valid, years, gsd_m
