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
        place = self._place(reason)
        if place < _EXAMPLES:
            past, future = pairs.past[index].copy(), pairs.future[index].copy()
            example = Example(reason, past, future, str(pairs.source[index]))
            self._groups[reason][place : place + 1] = [example]

    def offer_example(self, example: Example) -> None:
        """Perhaps keep an example that was kept before, among those of other rasters."""
        place = self._place(example.reason)
        if place < _EXAMPLES:
            self._groups[example.reason][place : place + 1] = [example]

    def _place(self, reason: Reason) -> int:
        """Where the next tile of this reason goes; nowhere from `_EXAMPLES` on."""
        self._seen[reason] += 1
        count = len(self._groups[reason])
        return count if count < _EXAMPLES else int(self._rng.integers(0, self._seen[reason]))

    def __iter__(self) -> Iterator[Example]:
        return (example for group in self._groups.values() for example in group)
