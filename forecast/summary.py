"""What an ensemble says of each pixel: mean, spread, probability of change, nearest member."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.change import CHANGE_THRESHOLD

__all__ = ["Summary", "summarize"]


@dataclass(frozen=True)
class Summary:
    """Statistics over the members of one block.

    Attributes:
        mean: `(3, h, w)`, 0..1.
        spread: `(3, h, w)`, sample standard deviation; 0 for one member.
        change_probability: `(h, w)`, share of members that differ from the present by more
            than 20/255 in the mean over the bands.
        distance: `(m,)`, summed square distance of each member to the mean over valid pixels.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    change_probability: NDArray[np.float32]
    distance: NDArray[np.float64]


def summarize(
    members: NDArray[np.float32], present: NDArray[np.float32], valid: NDArray[np.bool_]
) -> Summary:
    """Summarize a block.

    Args:
        members: `(m, 3, h, w)`, 0..1.
        present: `(3, h, w)`.
        valid: `(h, w)`.
    """
    mean = members.mean(axis=0)
    spread = members.std(axis=0, ddof=1) if len(members) > 1 else np.zeros_like(mean)
    moved = np.abs(members - present).mean(axis=1) > CHANGE_THRESHOLD
    distance = ((members - mean) ** 2)[:, :, valid].sum(axis=(1, 2), dtype=np.float64)
    return Summary(mean, spread, moved.mean(axis=0, dtype=np.float32), distance)
