"""A few tiles of each reason to look at, chosen while they go by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from preprocessing.pairs.store import Pairs
from preprocessing.report.counts import Example
from preprocessing.tiles.filters import Reason

__all__ = ["ExampleTiles"]

_EXAMPLES = 18


class ExampleTiles:
    """Reservoir sampling (Vitter 1985), one reservoir a reason.

    Args:
        seed: Chooses the tiles.
    """

    def __init__(self, seed: int) -> None:
        self._groups: dict[Reason, list[Example]] = {reason: [] for reason in Reason}
        self._seen = dict.fromkeys(Reason, 0)
        self._rng = np.random.default_rng(seed)

    def offer(self, reason: Reason, pairs: Pairs, index: int) -> None:
        """Perhaps keep a copy of the tile at `index`."""
        group = self._groups[reason]
        self._seen[reason] += 1
        place = len(group)
        if place == _EXAMPLES:
            place = int(self._rng.integers(0, self._seen[reason]))
            if place >= _EXAMPLES:
                return
        past, future = pairs.past[index].copy(), pairs.future[index].copy()
        group[place : place + 1] = [Example(reason, past, future, str(pairs.source[index]))]

    def __iter__(self) -> Iterator[Example]:
        return (example for group in self._groups.values() for example in group)
