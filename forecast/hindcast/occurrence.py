"""Where this place changes, learnt from where it changed before, and how much of it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier

from forecast.hindcast.features import block_features
from forecast.hindcast.past import Past
from forecast.states.windows import cut
from preprocessing.lasting_change.labelling import MOST_DATES
from preprocessing.window import Window

__all__ = ["BLOCK", "LocalOccurrence", "sampled_blocks"]

_HORIZONS = (1, 2, 3, 5, 7, 10)
_TOLERANCE = 0.35
"""Of the years that a pair of dates may be off its horizon."""
_ROWS, _SAMPLE = 60_000, 12_000
BLOCK = 128
"""Cells along what is held in memory at once."""
_BLOCKS = 24
_LEAST_CHANGED = 50
_ALIKE = 0.5
"""Standard deviation in log years of the intervals whose rate of change counts for a horizon."""
_FEW_DATES, _MANY_DATES = 4, 16
"""Dates with which the rate of past change alone, and boosting alone, tell how much changes."""
_POWER = 0.8
"""Of the years that change goes with, between horizons that were seen and others."""
_LEAST = 1e-4
_MOST_ODDS = 20.0


@dataclass(frozen=True)
class LocalOccurrence:
    """Gradient boosting on the cells of one region.

    Boosting tells where. How much changes (quantity beside allocation, Pontius and Millones 2011)
    is told by the rate of past change too, the more so the fewer dates there are: boosting cannot
    know horizons longer than the few intervals that it has seen.

    Attributes:
        model: Fitted; its columns are `cell_features`, the horizon in years and the number of dates
            that told whether a change lasted.
        past: What it was fitted on; forecasts start at its last date.
        seen: `(n, 2)` years of past intervals, and the share of cells that changed in each.
        sample: `(m, k)` features of some cells of the last date.
    """

    model: HistGradientBoostingClassifier
    past: Past
    seen: NDArray[np.float64]
    sample: NDArray[np.float32]
    _offsets: dict[float, float] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def fit(cls, past: Past, *, seed: int = 0) -> LocalOccurrence | None:
        """Learn from every earlier interval of a region whose outcome was seen.

        Args:
            past: Up to the start of the forecast.
            seed: Of the sample of cells.

        Returns:
            None where too little changed, too few dates tell it, or the last shows nothing.
        """
        pairs = [
            (start, end)
            for start in range(1, len(past) - 2)
            for end in _ends(past.years, start, len(past) - 2)
        ]
        if not pairs:
            return None
        chosen = sampled_blocks(past)
        generator = np.random.default_rng(seed)
        most = max(1, _ROWS // (len(pairs) * len(chosen)))
        rows, events = [], []
        shares: dict[tuple[int, int], list[int]] = {pair: [0, 0] for pair in pairs}
        for start in sorted({start for start, _ in pairs}):
            until = past.until(start)
            tone = until.tone()
            for window in chosen:
                here = past.block(window.slices)
                features = block_features(until, window, tone)
                for end in (e for s, e in pairs if s == start):
                    changed, known = here.changed(start, end)
                    cells = np.flatnonzero(known)
                    shares[start, end][0] += int(changed[known].sum())
                    shares[start, end][1] += len(cells)
                    if len(cells) > most:
                        cells = generator.choice(cells, most, replace=False)
                    years = past.years[end] - past.years[start]
                    rows.append(_columns(features, cells, years, past.dates_after(end)))
                    events.append(changed.ravel()[cells])
        outcome = np.concatenate(events)
        if min(outcome.sum(), (~outcome).sum()) < _LEAST_CHANGED:
            return None
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
        seen = [
            (float(past.years[end] - past.years[start]), count / cells)
            for (start, end), (count, cells) in shares.items()
            if cells
        ]
        sample = _sample(past, chosen, generator)
        return cls(model, past, np.array(seen), sample) if len(sample) else None

    def of_block(self, window: Window, years: Sequence[float]) -> NDArray[np.float32]:
        """Probability `(y, h, w)` of lasting change by some horizons, ascending, in a block."""
        features = block_features(self.past, window, self.past.tone())
        every = np.arange(window.height * window.width)
        planes = [self._told(_columns(features, every, horizon, MOST_DATES)) for horizon in years]
        found = np.stack(planes).reshape(len(years), window.height, window.width)
        return np.maximum.accumulate(found, axis=0).astype(np.float32)

    def _told(self, columns: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of rows of one horizon."""
        horizon = float(columns[0, -2])
        if horizon not in self._offsets:
            every = np.arange(len(self.sample))
            some = _columns(self.sample.T, every, horizon, MOST_DATES)
            self._offsets[horizon] = self._offset(self._log_odds(some), horizon)
        return np.asarray(expit(self._log_odds(columns) + self._offsets[horizon]))

    def _log_odds(self, columns: NDArray[np.float32]) -> NDArray[np.float64]:
        told = self.model.predict_proba(columns)[:, 1]
        return np.asarray(logit(np.clip(told, _LEAST, 1 - _LEAST)))

    def _offset(self, log_odds: NDArray[np.float64], horizon: float) -> float:
        """What gives the cells of the sample the mean probability that both ways tell together."""
        ahead, share = self.seen.T
        alike = np.exp(-0.5 * (np.log(ahead / horizon) / _ALIKE) ** 2) + _LEAST
        rate = (alike * share).sum() / (alike * ahead**_POWER).sum()
        both = np.clip([expit(log_odds).mean(), rate * horizon**_POWER], _LEAST, 0.9)
        dates = len(self.past)
        weight = np.clip((dates - _FEW_DATES) / (_MANY_DATES - _FEW_DATES), 0, 1)
        wanted = float(np.exp(np.log(both) @ [weight, 1 - weight]))
        return float(
            brentq(lambda by: expit(log_odds + by).mean() - wanted, -_MOST_ODDS, _MOST_ODDS)
        )


def _sample(
    past: Past, blocks: Sequence[Window], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Features `(m, k)` of some cells of the last date."""
    rows, tone = [], past.tone()
    for window in blocks:
        features = block_features(past, window, tone)
        cells = np.flatnonzero(past.known[(-1, *window.slices)])
        most = _SAMPLE // len(blocks)
        if len(cells) > most:
            cells = generator.choice(cells, most, replace=False)
        rows.append(features.reshape(len(features), -1)[:, cells].T)
    return np.concatenate(rows)


def sampled_blocks(past: Past) -> list[Window]:
    """Blocks that stand for a region: all of it if it is small."""
    blocks = cut(*past.shape, BLOCK)
    return blocks[:: -(-len(blocks) // _BLOCKS)]


def _ends(years: NDArray[np.float64], start: int, last: int) -> list[int]:
    """Dates after a start that lie some of the horizons later, up to the date `last`."""
    ahead = years - years[start]
    ends = {
        int(np.abs(ahead[start + 1 : last + 1] - horizon).argmin()) + start + 1
        for horizon in _HORIZONS
        if last > start
    }
    return sorted(
        end for end in ends if min(abs(ahead[end] / h - 1) for h in _HORIZONS) <= _TOLERANCE
    )


def _columns(
    features: NDArray[np.float32], cells: NDArray[np.int64], years: float, dates: int
) -> NDArray[np.float32]:
    chosen = features.reshape(len(features), -1)[:, cells].T
    constant = np.full((len(cells), 2), (years, dates), np.float32)
    return np.concatenate([chosen, constant], axis=1)
