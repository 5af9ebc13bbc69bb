"""Where this place changes, learnt from where it changed before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecast.colours import WhitenedColours
from forecast.hindcast.features import block_features
from forecast.hindcast.intervals import past_intervals, sampled_blocks
from forecast.hindcast.past import Past
from forecast.network.conditions import Tone
from preprocessing.lasting_change.labelling import MOST_DATES
from preprocessing.rasters.window import Window
from preprocessing.running.executor import in_threads

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

__all__ = ["LocalOccurrence"]

_ROWS = 60_000
_LEAST_CHANGED = 50


@dataclass(frozen=True)
class LocalOccurrence:
    """Gradient boosting on the cells of one region.

    Attributes:
        model: Fitted; its columns are `cell_features`, the horizon in years and the number of dates
            that told whether a change lasted.
        past: What it was fitted on; forecasts start at its last date.
        tone: Of that date.
        colours: Likewise.
        longest: Years of the longest interval it was fitted on.
    """

    model: HistGradientBoostingClassifier
    past: Past
    tone: Tone
    colours: WhitenedColours
    longest: float

    @classmethod
    def fit(cls, past: Past, *, seed: int = 0, threads: int = 1) -> LocalOccurrence | None:
        """Learn from every earlier interval of a region whose outcome was seen.

        Args:
            past: Up to the start of the forecast.
            seed: Of the sample of cells.
            threads: Blocks that are looked at side by side.

        Returns:
            None where too little changed, too few dates tell it, or the last shows nothing.
        """
        pairs = past_intervals(past)
        if not pairs or not past.known[-1].any():
            return None
        chosen = sampled_blocks(past)
        generator = np.random.default_rng(seed)
        most = max(1, _ROWS // (len(pairs) * len(chosen)))
        colours = past.colours()
        rows, events = list[NDArray[np.float32]](), list[NDArray[np.bool_]]()
        for start in sorted({start for start, _ in pairs}):
            until, ends = past.until(start), [e for s, e in pairs if s == start]
            picked = []
            for found in in_threads(partial(_outcomes, past, start, ends), chosen, threads):
                cells = [_some(known, most, generator) for _, known in found]
                picked.append(cells)
                events += [
                    changed.ravel()[some] for (changed, _), some in zip(found, cells, strict=True)
                ]
            describe = partial(_rows, past, start, ends, until.tone(), until.colours(like=colours))
            for part in in_threads(describe, list(zip(chosen, picked, strict=True)), threads):
                rows += part
        outcome = np.concatenate(events)
        if min(outcome.sum(), (~outcome).sum()) < _LEAST_CHANGED:
            return None
        # It takes a second to load, and most forecasts have too few dates to use it.
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            max_iter=150,
            learning_rate=0.06,
            max_leaf_nodes=10,
            min_samples_leaf=100,
            l2_regularization=5,
            early_stopping=False,
            random_state=seed,
        )
        model.fit(np.concatenate(rows), outcome)
        longest = max(past.years[end] - past.years[start] for start, end in pairs)
        return cls(model, past, past.tone(), colours, float(longest))

    def of_block(self, window: Window, years: Sequence[float]) -> NDArray[np.float32]:
        """Probability `(y, h, w)` of lasting change by some horizons, ascending, in a block."""
        features = block_features(self.past, window, self.tone, self.colours)
        every = np.arange(window.height * window.width)
        # Trees say the same of all horizons beyond the longest that they were fitted on.
        told = [min(horizon, self.longest) for horizon in years]
        planes = {
            horizon: self.model.predict_proba(_columns(features, every, horizon, MOST_DATES))[:, 1]
            for horizon in set(told)
        }
        found = np.stack([planes[horizon] for horizon in told])
        found = found.reshape(len(years), window.height, window.width)
        return np.maximum.accumulate(found, axis=0).astype(np.float32)


def _outcomes(
    past: Past, start: int, ends: Sequence[int], window: Window
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """What changed in a block from a date to others, and where that is known."""
    here = past.block(window.slices)
    return [here.changed(start, end) for end in ends]


def _some(known: NDArray[np.bool_], most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    cells = np.flatnonzero(known)
    return cells if len(cells) <= most else generator.choice(cells, most, replace=False)


def _rows(
    past: Past,
    start: int,
    ends: Sequence[int],
    tone: Tone,
    colours: WhitenedColours,
    block: tuple[Window, Sequence[NDArray[np.int64]]],
) -> list[NDArray[np.float32]]:
    """Columns of some cells of a block at a date, those of each later date by themselves."""
    window, picked = block
    features = block_features(past.until(start), window, tone, colours)
    return [
        _columns(features, cells, past.years[end] - past.years[start], past.dates_after(end))
        for end, cells in zip(ends, picked, strict=True)
    ]


def _columns(
    features: NDArray[np.float32], cells: NDArray[np.int64], years: float, dates: int
) -> NDArray[np.float32]:
    chosen = features.reshape(len(features), -1)[:, cells].T
    constant = np.full((len(cells), 2), (years, dates), np.float32)
    return np.concatenate([chosen, constant], axis=1)
