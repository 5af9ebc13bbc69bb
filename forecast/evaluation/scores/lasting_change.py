"""Lasting change: does the probability rank it, is it reliable, is there as much of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.scores.roc import area_under_curve
from forecast.evaluation.scores.statistic import Array, Statistic, ratio

__all__ = ["BIN_EDGES", "LastingChange"]

BIN_EDGES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8)
"""Inner edges of the classes of probability; finer where lasting change is, which is rare."""

_STREAM = 5


class LastingChange(Statistic):
    """Scores of the probability of lasting change.

    `lasting_auc`: of the ranking, within each case, mean over cases.
    `lasting_brier`, and `lasting_brier_skill` over a constant forecast of the share that truly
    changed in that case, which no one knows beforehand. `lasting_reliability`: mean square
    distance of the observed share from the forecast probability over its classes (Murphy 1973).
    `area_ratio`: expected over true share of changed cells, of sums over cases.
    `lasting_merit`: hits / (hits + misses + false alarms) (Pontius et al. 2008) of the most
    probable cells of each case, as many as expected; equal ones at random. `lasting_merit_random`:
    of as many cells drawn at random, from their expected hits.

    Args:
        seed: Of the draw among cells of equal probability.
    """

    name = "lasting_change"

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def sums(self, forecast: PlaceForecast, case: SeriesCase) -> Array:
        """AUC and its cases; Brier, reference, shares, hits, cases; classes of probability."""
        classes = len(BIN_EDGES) + 1
        row = np.zeros(10 + 3 * classes)
        event = case.event[case.known]
        if forecast.ranked is not None:
            auc = area_under_curve(event, forecast.ranked[case.known])
            if auc is not None:
                row[:2] = auc, 1
        if forecast.probability is None or event.size == 0:
            return row
        p = forecast.probability[case.known].astype(np.float64)
        expected, actual = p.mean(), event.mean()
        chosen = self._most_probable(p, case)
        row[2:10] = (
            ((p - event) ** 2).mean(),
            actual * (1 - actual),
            expected,
            actual,
            (chosen & event).mean(),
            chosen.mean(),
            chosen.mean() * actual,
            1,
        )
        number = np.searchsorted(BIN_EDGES, p, side="right")
        for i, weight in enumerate((None, p, event.astype(np.float64))):
            counted = np.bincount(number, weights=weight, minlength=classes)
            row[10 + i * classes : 10 + (i + 1) * classes] = counted / event.size
        return row

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        cases = sums[..., 9]
        brier, reference, expected, actual, hits, chosen, chance = (
            ratio(sums[..., i], cases) for i in range(2, 9)
        )
        share, forecast, observed = np.split(sums[..., 10:], 3, axis=-1)
        apart = np.where(share > 0, (forecast - observed) ** 2 / np.maximum(share, 1e-30), 0.0)
        return {
            "lasting_auc": ratio(sums[..., 0], sums[..., 1]),
            "lasting_brier": brier,
            "lasting_brier_skill": 1 - ratio(brier, reference),
            "lasting_reliability": ratio(apart.sum(axis=-1), cases),
            "lasting_share": actual,
            "lasting_share_forecast": expected,
            "area_ratio": ratio(expected, actual),
            "lasting_merit": ratio(hits, chosen + actual - hits),
            "lasting_merit_random": ratio(chance, chosen + actual - chance),
        }

    def curves(self, sums: Array) -> dict[str, Any]:
        """By class of probability: mean `probability`, `frequency` of change, `frequency_share`."""
        share, forecast, observed = np.split(sums[10:], 3)
        if sums[9] == 0:
            return {}
        return {
            "probability": ratio(forecast, share).tolist(),
            "frequency": ratio(observed, share).tolist(),
            "frequency_share": ratio(share, sums[9]).tolist(),
        }

    def _most_probable(self, p: Array, case: SeriesCase) -> NDArray[np.bool_]:
        """As many cells as are expected to change."""
        chosen = np.zeros(p.size, bool)
        order = np.lexsort((case.generator(self._seed, _STREAM).random(p.size), -p))
        chosen[order[: round(float(p.sum()))]] = True
        return chosen
