"""Earlier dates of stored pairs: found by their labels, brought to the past's grid and tone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.history import History
from forecast.patches import FACTOR, to_low
from preprocessing.pairs import Pairs

__all__ = ["NONE", "find_chains", "history_of", "pairs_ending", "same_ground"]

NONE = -1
_LEAST_CORRELATION = 0.9
_BLOCK_PX = 4
_MOST_GAIN = 2.0


class _Ground(NamedTuple):
    """A tile at a date."""

    store: int
    place: str
    row: int
    col: int
    date: str


def pairs_ending(
    source: NDArray[np.str_],
    row: NDArray[np.int32],
    col: NDArray[np.int32],
    store: NDArray[np.intp] | None = None,
) -> list[list[int]]:
    """For each pair past to future the pairs of the same tile whose later date is its past.

    Only labels are read; whether the ground is the same is seen in the pictures (`same_ground`).

    Args:
        source: `(n,)` strings `dataset/place/earlier/later`; the place may have further parts.
        row: `(n,)` first row of the tile on the grid of its raster pair.
        col: `(n,)` first column.
        store: `(n,)` number of the store of each pair; pairs of different stores are never
            joined. Default: all from one.

    Returns:
        `n` lists of positions, rising.
    """
    stores = [0] * len(source) if store is None else store.tolist()
    ending: dict[_Ground, list[int]] = {}
    begins = []
    labels = zip(stores, source.tolist(), row.tolist(), col.tolist(), strict=True)
    for i, (which, name, top, left) in enumerate(labels):
        place, earlier, later = name.rsplit("/", 2)
        ending.setdefault(_Ground(which, place, top, left, later), []).append(i)
        begins.append(_Ground(which, place, top, left, earlier))
    return [ending.get(ground, []) for ground in begins]


def find_chains(
    source: NDArray[np.str_],
    row: NDArray[np.int32],
    col: NDArray[np.int32],
    years: NDArray[np.float32],
    *,
    count: int,
    store: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """The pairs that lead from the past of each pair back to its nearest earlier dates.

    A date is reached by one pair that ends at the past, or over dates between by several; by as
    few as possible, because each has its own grid and tone.

    Args:
        source: See `pairs_ending`.
        row: See there.
        col: See there.
        years: `(n,)` from past to future.
        count: Earlier dates wanted, h; also the most pairs a date may be reached over.
        store: See `pairs_ending`.

    Returns:
        `(n, h, h)` positions of pairs: for each date, the nearest first, the pairs from the past
        back to it; `NONE` where there are no more.
    """
    before = pairs_ending(source, row, col, store)
    earlier = [name.rsplit("/", 2)[1] for name in source.tolist()]
    found = np.full((len(source), count, count), NONE, dtype=np.intp)
    for i in range(len(source)):
        reached: dict[str, tuple[int, ...]] = {}
        ways: list[tuple[int, ...]] = [()]
        for _ in range(count):
            longer = []
            for way in ways:
                for link in before[way[-1] if way else i]:
                    if earlier[link] not in reached:
                        reached[earlier[link]] = (*way, link)
                        longer.append((*way, link))
            ways = longer
        nearest = sorted(reached.values(), key=lambda way: float(years[list(way)].sum()))
        for slot, way in enumerate(nearest[:count]):
            found[i, slot, : len(way)] = way
    return found


def history_of(
    present: Pairs,
    chains: NDArray[np.intp],
    read: Callable[[NDArray[np.intp]], Pairs],
    *,
    factor: int = FACTOR,
) -> History:
    """The pictures of earlier dates on the grid and in the tone of the past.

    A stored pair has its later date laid over the earlier one and in its tone, so the change
    between both is taken within the pair, where it is neither shift nor light. It is added to the
    past after scaling it, band by band, to the past's contrast: the date in the middle is stored
    twice, once in either tone. Where its two pictures do not show the same ground
    (`same_ground`), the chain ends. Pixels that were not observed are as in the past.

    Args:
        present: `b` pairs.
        chains: `(b, h, h)` from `find_chains`.
        read: Pairs at positions, in their order.
        factor: Side of the blocks of pixels whose means are taken.

    Returns:
        The history of the past of each pair.
    """
    low = to_low(torch.from_numpy(present.past).float() / 255, factor)
    history = History.none(low, chains.shape[1])
    needed = np.unique(chains[chains != NONE])
    if needed.size == 0:
        return history
    links = read(needed)
    for i, ways in enumerate(chains):
        slot = 0
        for way in ways:
            steps = np.searchsorted(needed, way[way != NONE])
            change = _change(present.past[i], links, steps)
            if change is not None:
                moved = to_low(torch.from_numpy(change)[None], factor)[0]
                history.pictures[i, slot] = low[i] + moved
                history.years[i, slot] = float(links.years[steps].sum())
                slot += 1
    return history


def same_ground(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two pictures `(c, h, w)` of one date correlate by at least 0.9 in brightness.

    The grids of two raster pairs may differ by a shift; flat pictures show nothing.
    """
    x, y = (z.mean(axis=0, dtype=np.float64).ravel() for z in (a, b))
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return norm > 0 and float((x * y).sum()) / norm >= _LEAST_CORRELATION


def _change(
    past: NDArray[np.uint8], links: Pairs, steps: NDArray[np.intp]
) -> NDArray[np.float32] | None:
    """Earliest date minus `past` over a chain, in units of 0..1; None without a chain."""
    if steps.size == 0:
        return None
    total = np.zeros(past.shape, np.float32)
    gain = np.ones((len(past), 1, 1), np.float32)
    shown = past
    for step in steps.tolist():
        middle = links.future[step]
        if not same_ground(_blocks(middle), _blocks(shown)):
            return None
        contrast = _spread(shown) / _spread(middle)
        gain = gain * np.clip(contrast, 1 / _MOST_GAIN, _MOST_GAIN)
        difference = links.past[step].astype(np.float32) - middle
        total += gain * difference * links.valid[step] / np.float32(255)
        shown = links.past[step]
    return total


def _blocks(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    c, height, width = picture.shape
    n = _BLOCK_PX
    blocks = picture.reshape(c, height // n, n, width // n, n)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float32))


def _spread(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Standard deviation of each band, at least one grey level: `(c, 1, 1)`."""
    return np.asarray(picture.std(axis=(1, 2), keepdims=True, dtype=np.float32).clip(1))
