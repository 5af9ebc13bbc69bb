"""How much of a region changes: what the model says, and the rate so far.

Quantity beside allocation, as land-change models keep them apart (Pontius and Millones 2011).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, isotonic_regression
from scipy.special import expit, logit

from forecast.hindcast.intervals import past_intervals, sampled_blocks
from forecast.hindcast.past import Past
from forecast.region.windows import strips
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros
from preprocessing.running.executor import in_threads
from preprocessing.running.files import write_text

__all__ = ["Quantity", "with_mean"]

_FILE = "quantity.json"
_ALIKE = 0.5
"""Standard deviation in log years of the intervals whose rate of change counts for a horizon."""
_POWER, _LEAST_POWER = 0.8, 0.4
"""Of the years that change goes with, between horizons that were seen and others; and at least."""
_LASTS = 0.8
"""Of what few later dates tell to have changed lastingly, what more of them would tell so."""
_SURE = 0.25
"""Power of the share of change beyond chance that the rate goes with."""
_HORIZONS = np.arange(1.0, 11.0)
"""Years that the rate grows along."""
_OF_RATE, _MUCH = 0.7, 0.03
"""Least weight of the rate so far, beside the model, and share that brings it halfway to all."""
_INTERVALS = 40
"""That the rate is taken from, at most."""
_LEAST, _MOST = 1e-4, 0.9
_MOST_ODDS = 20.0
_MOST_CELLS = 200_000


@dataclass(frozen=True)
class Quantity:
    """How much of a region changed in each of its past intervals.

    Attributes:
        seen: `((years, share of the cells that changed, weight), ...)`, one an interval. The share
            is less what the same dates tell in another order (`Past.changed_by_chance`), which may
            be more. The weight is the square of how many pairs of a date before and one after tell
            it: with few, what comes and goes passes for change.
        lasting: Share of all change that was seen that is beyond that of other orders, 0..1.
    """

    seen: tuple[tuple[float, float, float], ...]
    lasting: float

    @classmethod
    def of(cls, past: Past, *, threads: int = 1) -> Quantity | None:
        """From what a past tells, blocks side by side; None where it tells of no interval."""
        every = past_intervals(past)
        some = np.linspace(0, len(every) - 1, min(_INTERVALS, len(every))).round().astype(int)
        pairs = [every[number] for number in some]

        def count(window: Window) -> NDArray[np.float64]:
            here, counts = past.block(window.slices), np.zeros((len(pairs), 3))
            for number, (start, end) in enumerate(pairs):
                changed, known = here.changed(start, end)
                cells = int(known.sum())
                by_chance = here.changed_by_chance(start, end) * cells
                counts[number] = changed[known].sum(), by_chance, cells
            return counts

        counts = sum(in_threads(count, sampled_blocks(past), threads), np.zeros((len(pairs), 3)))
        seen = tuple(
            (
                float(past.years[end] - past.years[start]),
                float((changed - by_chance) / known),
                float(past.pairs_telling(start, end) ** 2),
            )
            for (start, end), (changed, by_chance, known) in zip(pairs, counts, strict=True)
            if known
        )
        shares = counts[counts[:, 2] > 0]
        changed, by_chance = (shares[:, :2] / shares[:, 2:]).sum(axis=0) if seen else (0, 0)
        lasting = max(0.0, 1 - float(by_chance / changed)) if changed else 0.0
        return cls(seen, lasting) if seen else None

    def wanted(self, years: float, general: float) -> float:
        """The share of the cells that is expected to change.

        A weighted mean of logarithms of what the model expects and of the rate of past change: the
        more that is, the surer. Where the same dates tell much change in other orders too, what is
        beyond that is told too high: the rate is less there.

        Args:
            years: Horizon.
            general: What the model expects.
        """
        rate = _LASTS * self.lasting**_SURE * self._rate(years)
        rate = float(np.clip(rate, _LEAST, _MOST))
        of_rate = _OF_RATE + (1 - _OF_RATE) * rate / (rate + _MUCH)
        shares = np.clip([general, rate], _LEAST, _MOST)
        return float(np.exp(np.log(shares) @ [1 - of_rate, of_rate]))

    def _rate(self, years: float) -> float:
        """Share that changed in intervals about as long; it grows with the years.

        Single intervals tell so little that more may have changed within a year than within two;
        those horizons then share what they tell (isotonic regression, Barlow et al. 1972).
        """
        ahead, share, weight = np.array(self.seen).T
        horizons = np.union1d(_HORIZONS, [years])
        apart = np.log(ahead / horizons[:, None]) / _ALIKE
        alike = weight * (np.exp(-0.5 * apart**2) + _LEAST)
        rates = (alike * share).sum(axis=1) / (alike * ahead**_POWER).sum(axis=1)
        rates *= horizons ** (_POWER - _LEAST_POWER)
        grown = isotonic_regression(rates, weights=alike.sum(axis=1)).x
        return float(grown[np.searchsorted(horizons, years)] * years**_LEAST_POWER)

    def save(self, folder: Path) -> None:
        """Write beside the start of a region."""
        write_text(folder / _FILE, json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Quantity | None:
        """Read what `save` wrote; None where it wrote nothing."""
        path = folder / _FILE
        if not path.exists():
            return None
        stored = json.loads(path.read_text(encoding="utf-8"))
        seen = tuple((years, share, weight) for years, share, weight in stored["seen"])
        return cls(seen, stored["lasting"])


def with_mean(
    probability: NDArray[np.float32],
    mean: float,
    known: NDArray[np.bool_],
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.float32]:
    """The same ranking with another mean: every cell's log odds move by as much.

    Args:
        probability: Of any shape.
        mean: Above 0 and below 1.
        known: The cells that the mean is taken over, some at least.
        zeros: Makes planes, on the disk where they are large.
    """
    parts = strips(probability.shape)
    every = -(-sum(np.count_nonzero(known[rows]) for rows in parts) // _MOST_CELLS)
    chosen, passed = [], 0
    for rows in parts:
        odds = _log_odds(probability[rows])[known[rows]]
        chosen.append(odds[-passed % every :: every])
        passed += len(odds)
    some = np.concatenate(chosen)
    moved = brentq(lambda by: expit(some + by).mean() - mean, -_MOST_ODDS, _MOST_ODDS)
    found = zeros(probability.shape, np.float32)
    for rows in parts:
        found[rows] = expit(_log_odds(probability[rows]) + moved)
    return found


def _log_odds(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(probability.astype(np.float64), _LEAST, 1 - _LEAST)))
