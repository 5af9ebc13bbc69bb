"""How far observations of a place follow what was seen of it before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.hindcast.past import Past
from forecast.training.losses import fair_crps

__all__ = ["LEAST_DATES", "PLAIN", "ObservationShares", "fit_shares"]

LEAST_DATES = 3
"""One to forecast from, one before it, and one to compare with."""
_FOLLOW = (0.0, 0.25, 0.5, 0.75, 1.0)
_NOISE = (0.25, 0.5, 0.75, 1.0, 1.25)
_MOST_CELLS = 100_000


@dataclass(frozen=True)
class ObservationShares:
    """An observation differs from the state of the land by a sum of two parts.

    Attributes:
        follow: Share of the difference of an earlier date, drawn at random, to the start: the
            light, crops and water levels that this place has.
        noise: Share of what the model draws.
    """

    follow: float
    noise: float


PLAIN = ObservationShares(0.0, 1.0)
"""What a place without earlier dates has."""


def fit_shares(past: Past, drawn: NDArray[np.float32]) -> ObservationShares:
    """The shares with the best fair CRPS for the last date, forecast from the one before it.

    Args:
        past: Three dates and more, up to the start of the forecast.
        drawn: `(m, 3, h, w)` what the model draws for m members, from the date before the last.
    """
    every = max(1, int((past.known[-1].size / _MOST_CELLS) ** 0.5))
    some = (..., slice(None, None, every), slice(None, None, every))
    cells, known = np.array(past.cells[some], np.float32), past.known[some]
    start = len(past) - 2
    where = known[start] & known[-1]
    truth = torch.from_numpy((cells[-1] - cells[start])[:, where])
    noise = torch.from_numpy(drawn[some][:, :, where])
    dates = [member % start for member in range(len(noise))]
    followed = torch.from_numpy(
        np.stack([((cells[d] - cells[start]) * known[d])[:, where] for d in dates])
    )
    losses = {
        ObservationShares(follow, share): float(
            fair_crps(follow * followed + share * noise, truth).mean()
        )
        for follow in _FOLLOW
        for share in _NOISE
    }
    return min(losses, key=lambda shares: losses[shares])
