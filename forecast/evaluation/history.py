"""An earlier date of the same ground, from which a change a year can be taken."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.pair_history import NONE, pairs_ending, same_ground
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs

__all__ = ["earlier_pairs", "yearly_change"]


def earlier_pairs(index: PairIndex) -> NDArray[np.intp]:
    """For each pair past to future find one that ends at its past, on the same tile.

    Of several the one whose span of years is nearest to the horizon is taken, then the shorter.
    Only labels are read; whether the ground is the same is seen in `yearly_change`.

    Returns:
        `(n,)` position in `index`, -1 where there is none.
    """
    found = np.full(len(index), NONE, dtype=np.intp)
    known = pairs_ending(index.source, index.row, index.col, index.store)
    for i, before in enumerate(known):
        if before:
            found[i] = min(
                before,
                key=lambda j: (abs(index.years[j] - index.years[i]), index.years[j], j),
            )
    return found


def yearly_change(
    index: PairIndex, chosen: NDArray[np.intp], pairs: Pairs, earlier: NDArray[np.intp]
) -> Tensor:
    """Change a year before the past of each pair, from the pair that ends there.

    The middle date is stored in both. Where its two pictures do not show the same ground
    (`same_ground`) there is no trend.

    Args:
        index: All pairs.
        chosen: `(b,)` those asked about.
        pairs: Their images.
        earlier: `(n,)` from `earlier_pairs`.

    Returns:
        `(b, 3, 32, 32)` change a year in units of 0..1, 0 at pixels that one of the two dates
        lacks; NaN for pairs without an earlier date.
    """
    trend = torch.full((len(chosen), 3, *(side // 4 for side in pairs.past.shape[-2:])), torch.nan)
    have = np.flatnonzero(earlier[chosen] != NONE)
    if have.size == 0:
        return trend
    before = index.read(earlier[chosen[have]])
    cases = Cases.of(before)
    middle = (cases.low + cases.difference).numpy()
    present = Cases.of(pairs.take(have)).low.numpy()
    for i, at in enumerate(have.tolist()):
        if same_ground(middle[i], present[i]):
            trend[at] = cases.difference[i] * cases.weight[i] / cases.years[i]
    return trend
