"""Colours of a region as far as they set its ground apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["WhitenedColours"]

_LEAST = 0.1
"""Standard deviation below which a principal component is noise, over that of the first."""


@dataclass(frozen=True)
class WhitenedColours:
    """Principal components of the colours of a region, each of unit variance.

    A river as bright as the fields beside it differs from them in what colours of the region hardly
    differ by else.

    Attributes:
        mean: `(3,)` colour of the region.
        matrix: `(3, 3)` that colours less the mean are multiplied by; the last component has most
            of the variance.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    @classmethod
    def of(
        cls, parts: Iterable[NDArray[np.floating]], *, like: WhitenedColours | None = None
    ) -> WhitenedColours:
        """Of cells that are handed over in parts `(3, n)`.

        Args:
            parts: Of the cells.
            like: Colours of another date, whose components point the same way: either is as good.
        """
        count, total, products = 0, np.zeros(3), np.zeros((3, 3))
        for part in parts:
            colours = part.astype(np.float64)
            count, total = count + colours.shape[1], total + colours.sum(axis=1)
            products += colours @ colours.T
        mean = total / max(count, 1)
        variance, axes = np.linalg.eigh(products / max(count, 1) - np.outer(mean, mean))
        least = max(float(variance[-1]), 1e-9) * _LEAST**2
        matrix = axes / np.sqrt(np.maximum(variance, least))
        if like is not None:
            matrix = np.where((matrix * like.matrix).sum(axis=0) < 0, -matrix, matrix)
        return cls(mean.astype(np.float32), matrix.astype(np.float32))

    def whitened(self, cells: NDArray[np.floating]) -> NDArray[np.float32]:
        """Of cells `(3, h, w)`, `(h, w, 3)`."""
        return np.asarray((cells.transpose(1, 2, 0) - self.mean) @ self.matrix, dtype=np.float32)
