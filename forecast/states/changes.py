"""What has changed in a member so far, on the grid of cells."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.states.analogues import Analogues
from forecast.states.copies import NO_SOURCE
from forecast.states.events import allocated
from preprocessing.running.partial_files import partial_path

__all__ = ["Changes"]


@dataclass(frozen=True)
class Changes:
    """State of a member after some years; ground that has changed keeps its look.

    Attributes:
        changed: `(h, w)` bool.
        colours: `(3, h, w)` float32, 0..1: the start, and where it has changed its look since.
        sources: `(2, h, w)` int32 row and column of the cell of the start that shows what changed
            ground now looks like, see `Analogues`.
        settled: `(h, w)` float32, accumulated probability of change of the legs before this one.
        leg: `(h, w)` float32, likewise of this leg: the greatest of its years.
    """

    changed: NDArray[np.bool_]
    colours: NDArray[np.float32]
    sources: NDArray[np.int32]
    settled: NDArray[np.float32]
    leg: NDArray[np.float32]

    @classmethod
    def none(cls, cells: NDArray[np.float32]) -> Changes:
        """The start `(3, h, w)`."""
        nothing = np.zeros(cells.shape[1:], np.float32)
        sources = np.full((2, *nothing.shape), NO_SOURCE, np.int32)
        return cls(nothing > 0, np.array(cells), sources, nothing, nothing)

    @property
    def probability(self) -> NDArray[np.float32]:
        """`(h, w)` probability that the ground has changed by now; never falls with the years."""
        return 1 - (1 - self.settled) * (1 - self.leg)

    def within(self, shape: tuple[int, ...]) -> Changes:
        """Those of the first rows and columns: what is beyond the region only fills tiles."""
        at = (..., slice(shape[0]), slice(shape[1]))
        return Changes(
            self.changed[at],
            self.colours[at],
            self.sources[at],
            self.settled[at],
            self.leg[at],
        )

    def next_leg(self) -> Changes:
        """A further leg starts from here: probabilities accumulate."""
        return replace(self, settled=self.probability, leg=np.zeros_like(self.leg))

    def after(
        self,
        probability: NDArray[np.float32],
        look: Callable[[NDArray[np.bool_]], NDArray[np.float32]],
        levels: NDArray[np.float32],
        parcels: NDArray[np.int64],
        analogues: Analogues,
        *,
        seen: NDArray[np.bool_],
        seed: int,
        member: int,
    ) -> Changes:
        """A year later: as many cells as the accumulated probability tells have changed.

        Args:
            probability: `(h, w)` of change since the leg began, by this year.
            look: Gives for cells `(h, w)` that are asked for the difference `(3, h, w)` to the
                colours that change makes.
            levels: `(h, w)` from `event_levels`, the same in all years.
            parcels: `(h, w)` from `parcels_of`.
            analogues: Of the region.
            seen: `(h, w)` cells of the region that were seen.
            seed: Seed of the run.
            member: Number of the member.
        """
        later = replace(self, leg=np.maximum(self.leg, probability))
        changed = allocated(later.probability, levels, parcels, self.changed, seen)
        new = changed & ~self.changed
        # Forecasts stay within the stated range; values that were outside it may stay there.
        low, high = np.minimum(self.colours, 0), np.maximum(self.colours, 1)

        def drawn(where: NDArray[np.bool_]) -> NDArray[np.float32]:
            return np.asarray(np.clip(self.colours + look(where), low, high))

        sources = analogues.sources(drawn, new, self.sources, seed=seed, member=member)
        copied, bare = new & (sources[0] >= 0), new & (sources[0] < 0)
        colours = np.where(copied, analogues.colours(sources), self.colours)
        if bare.any():
            colours[:, bare] = drawn(bare)[:, bare]
        return replace(later, changed=changed, colours=colours, sources=sources)

    def save(self, path: Path) -> None:
        """Write in one move."""
        part = partial_path(path)
        np.savez(
            part,
            changed=self.changed,
            colours=self.colours,
            sources=self.sources,
            settled=self.settled,
            leg=self.leg,
        )
        os.replace(part, path)

    @classmethod
    def load(cls, path: Path) -> Changes:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            return cls(**{name: stored[name] for name in stored.files})
