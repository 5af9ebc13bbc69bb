"""How far observations of a place follow what was seen of it before."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.hindcast.past import Past
from forecast.training.losses import fair_crps

__all__ = ["LEAST_DATES", "share_followed"]

LEAST_DATES = 3
"""One to forecast from, one before it, and one to compare with."""
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_MOST_CELLS = 100_000


def share_followed(past: Past, drawn: NDArray[np.float32]) -> float:
    """The share of the difference of an earlier date to the start that observations take on.

    Light, crops and water levels that a place has come back; where it drifts they do not. The share
    with the best fair CRPS for the last date, forecast from the one before it.

    Args:
        past: Three dates and more, up to the start of the forecast.
        drawn: `(m, 3, h, w)` what the model draws for m members, from the date before the last.

    Returns:
        0 to 1.
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
    losses = {share: float(fair_crps(share * followed + noise, truth).mean()) for share in _SHARES}
    return min(losses, key=lambda share: losses[share])
