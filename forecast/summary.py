"""What an ensemble says of each pixel: mean, spread, and which member is nearest the mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Summary", "summarize"]


@dataclass(frozen=True)
class Summary:
    """Statistics over the members of one block.

    Attributes:
        mean: `(3, h, w)`, 0..1.
        spread: `(h, w)`, sample standard deviation, root mean square over the bands; 0 for one
            member.
        distance: `(m,)`, summed square distance of each member to the mean over valid pixels.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    distance: NDArray[np.float64]


def summarize(members: NDArray[np.float32], valid: NDArray[np.bool_]) -> Summary:
    """Summarize a block.

    Args:
        members: `(m, 3, h, w)`, 0..1.
        valid: `(h, w)`.
    """
    mean = members.mean(axis=0)
    spread = np.zeros(mean.shape[1:], np.float32)
    if len(members) > 1:
        spread = np.sqrt(members.var(axis=0, ddof=1).mean(axis=0))
    distance = ((members - mean) ** 2)[:, :, valid].sum(axis=(1, 2), dtype=np.float64)
    return Summary(mean, spread, distance)
