"""Colours carried over from one date to another by the ground that did not change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError

__all__ = ["ColourTransport"]

_ROUNDS = 15
_LEAST_CELLS = 30
_LEAST_SPREAD = 2.0
"""Grey levels below which residuals are rounding."""
_TUKEY = 3.0
"""Residuals of so many robust standard deviations count no more."""
_LEAST_WEIGHT = 1e-4
_NOISE = 4.0
"""Variance in squared grey levels added to both sides: what varies less is left as it is."""
_MOST_CELLS = 100_000


@dataclass(frozen=True, eq=False)
class ColourTransport:
    """A linear map of red, green and blue together, fitted on unchanged ground.

    The linear Monge-Kantorovitch map (Pitie and Kokaram 2007) is the one that gives one set of
    colours the mean and covariance of another while moving them least. Cells are weighted by
    Tukey's biweight of what is left after the map (Holland and Welsch 1977), so that changed ground
    does not pull it. A regression from one date to the other (`ColourMap`) takes everything that
    differs on its own, noise, dither, crops, for a lack of contrast and flattens the date; where
    most of the ground changed it turns colours over. This map keeps contrast, and the order of
    colours: its matrix is symmetric and positive.

    Attributes:
        matrix: `(3, 3)`.
        moving_mean: `(3,)` grey levels of 0..255 that become `reference_mean`.
        reference_mean: `(3,)` grey levels.
        unchanged: Share of the weight that the cells had in the end.
    """

    matrix: NDArray[np.float64]
    moving_mean: NDArray[np.float64]
    reference_mean: NDArray[np.float64]
    unchanged: float = 1.0

    @classmethod
    def identity(cls) -> ColourTransport:
        """The map that changes nothing."""
        return cls(np.eye(3), np.zeros(3), np.zeros(3))

    @classmethod
    def fit(
        cls,
        moving: NDArray[np.float32],
        reference: NDArray[np.float32],
        valid: NDArray[np.bool_] | None = None,
    ) -> ColourTransport:
        """Find the map that gives one image the colours of another of the same ground.

        Args:
            moving: `(3, h, w)` means over cells, in grey levels of 0..255.
            reference: Likewise.
            valid: `(h, w)` cells that both images show. Default: all.

        Raises:
            NoValidPixelsError: Fewer than 30 valid cells.
        """
        chosen = np.ones(moving.shape[1:], bool) if valid is None else valid
        count = np.count_nonzero(chosen)
        if count < _LEAST_CELLS:
            raise NoValidPixelsError(
                f"expected {_LEAST_CELLS} cells or more that both images show, got {count}; "
                "check nodata, masks and the overlap of the images"
            )
        every = -(-count // _MOST_CELLS)
        source, target = (
            image[:, chosen][:, ::every].T.astype(np.float64) for image in (moving, reference)
        )
        weights = np.ones(len(source))
        for _ in range(_ROUNDS):
            mean, spread = _moments(source, weights)
            wanted, wanted_spread = _moments(target, weights)
            fitted = cls(_transport(spread, wanted_spread), mean, wanted, float(weights.mean()))
            error = np.sqrt(((target - fitted._of(source)) ** 2).mean(axis=1))
            reach = _TUKEY * max(_LEAST_SPREAD, 1.48 * float(np.median(error)))
            weights = np.where(error < reach, (1 - (error / reach) ** 2) ** 2, 0) + _LEAST_WEIGHT
        return fitted

    def apply(self, image: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map an image `(3, ...)` in grey levels; the result may leave 0..255."""
        flat = image.reshape(3, -1).T.astype(np.float64)
        return self._of(flat).T.reshape(image.shape).astype(np.float32)

    def _of(self, colours: NDArray[np.float64]) -> NDArray[np.float64]:
        """Colours `(n, 3)`."""
        mapped: NDArray[np.float64] = (colours - self.moving_mean) @ self.matrix
        return mapped + self.reference_mean


def _moments(
    colours: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean `(3,)` and covariance `(3, 3)` of colours `(n, 3)`."""
    total = weights.sum()
    mean = weights @ colours / total
    centred = colours - mean
    return mean, (centred * weights[:, None]).T @ centred / total + _NOISE * np.eye(3)


def _transport(spread: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric positive matrix T for which `T spread T = wanted`."""
    root, inverse = _power(spread, 0.5), _power(spread, -0.5)
    return inverse @ _power(root @ wanted @ root, 0.5) @ inverse


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    powered: NDArray[np.float64] = (vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T
    return powered
