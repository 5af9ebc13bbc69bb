"""Pairs that are scored, as tensors, each with a key of its own."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from forecast.history import History
from forecast.patches import to_low
from preprocessing.pairs import Pairs

__all__ = ["Cases"]


@dataclass(frozen=True)
class Cases:
    """A batch of pairs to forecast and score, in units of 0..1.

    Attributes:
        past: `(b, 3, 128, 128)` float32.
        low: `(b, 3, 32, 32)`, its means over 4x4 pixels.
        difference: `(b, 3, 32, 32)`, the truth: future minus past over 4x4 means.
        weight: `(b, 1, 32, 32)`, 1 where all sixteen pixels are valid at both dates, else 0.
        years: `(b,)` horizons.
        gsd_m: `(b,)` metres per pixel, 0 where not known.
        trend: `(b, 3, 32, 32)` change a year between an earlier date and the past, NaN for pairs
            without one.
        history: Earlier dates.
        keys: One number a pair, of its source and position only. Noise and tie-breaking draw
            from it, so a score does not depend on the order of the pairs or on the batch.
    """

    past: Tensor
    low: Tensor
    difference: Tensor
    weight: Tensor
    years: Tensor
    gsd_m: Tensor
    trend: Tensor
    history: History
    keys: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.past)

    @classmethod
    def of(cls, pairs: Pairs, trend: Tensor | None = None, history: History | None = None) -> Cases:
        """Build from stored pairs.

        Args:
            pairs: Tiles of one size.
            trend: See the class; None where no pair has an earlier date.
            history: See the class; likewise.
        """
        past, future = (torch.from_numpy(x).float() / 255 for x in (pairs.past, pairs.future))
        low = to_low(past)
        labels = zip(pairs.source.tolist(), pairs.row.tolist(), pairs.col.tolist(), strict=True)
        return cls(
            past=past,
            low=low,
            difference=to_low(future) - low,
            weight=(to_low(torch.from_numpy(pairs.valid).float()[:, None]) > 0.999).float(),
            years=torch.from_numpy(pairs.years).float(),
            gsd_m=torch.from_numpy(np.nan_to_num(pairs.gsd_m, nan=0.0)).float(),
            trend=torch.full_like(low, torch.nan) if trend is None else trend,
            history=History.none(low) if history is None else history,
            keys=tuple(zlib.crc32(f"{s}/{row}/{col}".encode()) for s, row, col in labels),
        )

    def take(self, index: Tensor) -> Cases:
        """The pairs at `index`, whole numbers."""
        tensors = {
            name: getattr(self, name)[index]
            for name in Cases.__dataclass_fields__
            if name != "keys"
        }
        return Cases(**tensors, keys=tuple(self.keys[i] for i in index.tolist()))

    def generators(self, seed: int, stream: int) -> list[np.random.Generator]:
        """One source of random numbers a pair, a function of seed, stream and the pair's key."""
        return [np.random.default_rng([seed, stream, key]) for key in self.keys]
