"""Earlier dates of the same ground, from which a change a year can be taken."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.evaluation.cases import Cases
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs

__all__ = ["earlier_pairs", "yearly_change"]

_LEAST_CORRELATION = 0.9
_NONE = -1


def earlier_pairs(index: PairIndex) -> NDArray[np.intp]:
    """For each pair past to future find one that ends at its past, on the same tile.

    Of several the one whose span of years is nearest to the horizon is taken, then the shorter.
    Only labels are read; whether the ground is the same is seen in `yearly_change`.

    Returns:
        `(n,)` position in `index`, -1 where there is none.
    """
    ending: dict[tuple[int, str, str, int, int], list[int]] = {}
    tiles = list(zip(index.store.tolist(), index.row.tolist(), index.col.tolist(), strict=True))
    names = [str(source).rsplit("/", 2) for source in index.source]
    for i, (store, row, col) in enumerate(tiles):
        ground, _, later = names[i]
        ending.setdefault((store, ground, later, row, col), []).append(i)
    found = np.full(len(index), _NONE, dtype=np.intp)
    for i, (store, row, col) in enumerate(tiles):
        ground, earlier, _ = names[i]
        known = ending.get((store, ground, earlier, row, col), [])
        if known:
            found[i] = min(
                known,
                key=lambda j: (abs(index.years[j] - index.years[i]), index.years[j], j),
            )
    return found


def yearly_change(
    index: PairIndex, chosen: NDArray[np.intp], pairs: Pairs, earlier: NDArray[np.intp]
) -> Tensor:
    """Change a year before the past of each pair, from the pair that ends there.

    The grids of two raster pairs may differ by a shift. The middle date is stored in both, so its
    two pictures are compared: where they correlate below 0.9 the tiles do not show the same ground
    and there is no trend.

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
    have = np.flatnonzero(earlier[chosen] != _NONE)
    if have.size == 0:
        return trend
    before = index.read(earlier[chosen[have]])
    cases = Cases.of(before)
    middle = (cases.low + cases.difference).numpy()
    present = Cases.of(pairs.take(have)).low.numpy()
    for i, at in enumerate(have.tolist()):
        if _correlation(middle[i], present[i]) >= _LEAST_CORRELATION:
            trend[at] = cases.difference[i] * cases.weight[i] / cases.years[i]
    return trend


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Of the brightness; 0 where one is flat."""
    x, y = (z.mean(axis=0).ravel() - z.mean() for z in (a, b))
    norm = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / norm if norm > 0 else 0.0
