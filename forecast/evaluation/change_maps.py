"""Maps of change: Figure of Merit, quantity and allocation disagreement."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from forecast.evaluation.cases import Cases
from forecast.evaluation.change import changed
from forecast.evaluation.statistic import Array, Statistic, per_pair, ratio

__all__ = ["ChangeMaps"]

_STREAM = 2


class ChangeMaps(Statistic):
    """Agreement of maps of change with the true one.

    `figure_of_merit`: hits / (hits + misses + false alarms) (Pontius et al. 2008), of each
    member's own map; hits and errors are added up over members and tiles first. `quantity` and
    `allocation`: disagreement of a member's map with the truth within a tile (Pontius and
    Millones 2011), |false alarms - misses| and 2 min(false alarms, misses), as shares of the
    pixels. `figure_of_merit_matched`: of one map, the most probable pixels of a tile, as many as
    the ensemble expects to change; equal probabilities are taken at random.
    `figure_of_merit_random`: of as many pixels of the tile drawn at random, from their expected
    hits (closed form).

    Args:
        seed: Of the draw among pixels of equal probability.
    """

    name = "change_maps"

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def sums(self, members: Tensor, cases: Cases) -> Array:
        """Hits, misses, false alarms, quantity, allocation; those of the matched map; pixels."""
        seen = cases.weight[:, 0] > 0
        truth = changed(cases.difference) & seen
        maps = changed(members) & seen
        hits = (maps & truth).flatten(2).sum(dim=2).double()
        misses = (~maps & truth).flatten(2).sum(dim=2).double()
        alarms = (maps & ~truth).flatten(2).sum(dim=2).double()
        quantity, allocation = (alarms - misses).abs(), 2 * torch.minimum(alarms, misses)
        own = [x.mean(dim=0).numpy() for x in (hits, misses, alarms, quantity, allocation)]
        chosen = self._matched(maps.double().mean(dim=0), seen, cases)
        pixels, area = per_pair(seen), np.maximum(per_pair(seen), 1)
        expected, actual = per_pair(chosen), per_pair(truth)
        return np.stack(
            [*own, per_pair(chosen & truth), expected, actual, expected * actual / area, pixels],
            axis=1,
        )

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        hits, misses, alarms, quantity, allocation = (sums[..., i] for i in range(5))
        matched, expected, actual, by_chance, pixels = (sums[..., i] for i in range(5, 10))
        return {
            "figure_of_merit": ratio(hits, hits + misses + alarms),
            "quantity": ratio(quantity, pixels),
            "allocation": ratio(allocation, pixels),
            "figure_of_merit_matched": ratio(matched, expected + actual - matched),
            "figure_of_merit_random": ratio(by_chance, expected + actual - by_chance),
        }

    def _matched(self, probability: Tensor, seen: Tensor, cases: Cases) -> Tensor:
        """The most probable pixels of each tile, as many as expected: bool `(b, h, w)`."""
        chosen = torch.zeros_like(seen)
        for i, generator in enumerate(cases.generators(self._seed, _STREAM)):
            p = np.where(seen[i].numpy(), probability[i].numpy(), -1.0).ravel()
            count = round(float(p[p > 0].sum()))
            order = np.lexsort((generator.random(p.size), -p))[:count]
            chosen[i].view(-1)[torch.from_numpy(order)] = True
        return chosen
