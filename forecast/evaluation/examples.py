"""A few pairs to look at, chosen by seed and not by score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.patches import to_low
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs

__all__ = ["Example", "choose_examples"]

_A_DATASET = 3
_MEMBERS = 3
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Example:
    """One pair and its forecast.

    Attributes:
        source: `dataset/place/earlier/later`, with the tile's position.
        years: Horizon.
        past: `(128, 128, 3)` uint8.
        truth: Like `past`.
        members: Up to three futures `(32, 32, 3)` uint8, in the order they were drawn.
        mean: Mean of all members, `(32, 32, 3)` uint8.
        spread: Standard deviation over the members, mean over bands, `(32, 32)`, 0..1.
    """

    source: str
    years: float
    past: Picture
    truth: Picture
    members: tuple[Picture, ...]
    mean: Picture
    spread: NDArray[np.float32]

    @classmethod
    def of(cls, pairs: Pairs, number: int, members: Tensor, years: float) -> Example:
        """Build from pair `number` and its members `(m, 3, 32, 32)`, differences."""
        past, future = (
            torch.from_numpy(x[number]).float() / 255 for x in (pairs.past, pairs.future)
        )
        low = to_low(past[None])[0]
        futures = (low + members).clamp(0, 1)
        spread = members.std(dim=0).mean(dim=0) if len(members) > 1 else torch.zeros(low.shape[1:])
        return cls(
            source=f"{pairs.source[number]} at {pairs.row[number]}, {pairs.col[number]}",
            years=years,
            past=_picture(past),
            truth=_picture(future),
            members=tuple(_picture(x) for x in futures[:_MEMBERS]),
            mean=_picture(futures.mean(dim=0)),
            spread=spread.numpy(),
        )


def choose_examples(index: PairIndex, chosen: NDArray[np.intp], *, seed: int) -> NDArray[np.intp]:
    """Three pairs of each dataset among the chosen ones, at random."""
    generator = np.random.default_rng([seed, 3])
    datasets = index.dataset[chosen]
    return np.concatenate(
        [
            np.sort(generator.permutation(chosen[datasets == name])[:_A_DATASET])
            for name in np.unique(datasets)
        ]
    )


def _picture(image: Tensor) -> Picture:
    """`(3, h, w)` in 0..1 to `(h, w, 3)` uint8."""
    return (image * 255).round().byte().permute(1, 2, 0).numpy()
