"""A robust map of colour to colour: light, season and sensor taken out, changed ground left in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError

__all__ = ["ColourMap"]

_TERMS = 10
_ROUNDS = 15
_RIDGE = 1e-5
_LEAST_SPREAD = 2.0
"""Grey levels below which residuals are rounding."""
_TUKEY = 3.0
"""Residuals of so many robust standard deviations count no more."""
_LEAST_WEIGHT = 1e-4
_MOST_CELLS = 100_000


@dataclass(frozen=True)
class ColourMap:
    """A quadratic map of red, green and blue together.

    Fitted by iteratively reweighted least squares with Tukey's biweight (Holland and Welsch 1977),
    so that ground that changed does not pull it. It takes out what acts on a colour alike
    everywhere: light, season, sensor, stretch. Unlike matched histograms it leaves the true change
    of a region alone, as long as most of the ground stays.

    Attributes:
        coefficients: `(10, 3)`: constant, bands, their squares, products rg, rb, gb; of values
            scaled to -1..1, in grey levels of 255.
    """

    coefficients: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        moving: NDArray[np.float32],
        reference: NDArray[np.float32],
        valid: NDArray[np.bool_] | None = None,
    ) -> ColourMap:
        """Find the map that gives one image the colours of another of the same ground.

        Args:
            moving: `(3, h, w)` means over cells, in grey levels of 0..255.
            reference: Likewise.
            valid: `(h, w)` cells that both images show. Default: all.

        Raises:
            NoValidPixelsError: Fewer than 30 valid cells.
        """
        chosen = np.ones(moving.shape[1:], bool) if valid is None else valid
        source, target = moving[:, chosen], reference[:, chosen].T.astype(np.float64)
        if source.shape[1] < 3 * _TERMS:
            raise NoValidPixelsError(
                f"expected {3 * _TERMS} cells or more that both images show, got {source.shape[1]};"
                " check nodata, masks and the overlap of the images"
            )
        every = -(-source.shape[1] // _MOST_CELLS)
        basis, target = _basis(source[:, ::every]), target[::every]
        weights = np.ones(len(basis))
        ridge = _RIDGE * len(basis) * np.eye(_TERMS)
        for _ in range(_ROUNDS):
            weighted = basis * weights[:, None]
            fitted = np.linalg.solve(basis.T @ weighted + ridge, weighted.T @ target)
            error = np.sqrt(((target - basis @ fitted) ** 2).mean(axis=1))
            reach = _TUKEY * max(_LEAST_SPREAD, 1.48 * float(np.median(error)))
            weights = np.where(error < reach, (1 - (error / reach) ** 2) ** 2, 0) + _LEAST_WEIGHT
        return cls(np.asarray(fitted, dtype=np.float64))

    def apply(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Map an image `(3, h, w)` in grey levels; the result may leave 0..255 a little."""
        flat = image.reshape(3, -1).astype(np.float64)
        return (_basis(flat) @ self.coefficients).T.reshape(image.shape).astype(np.float32)


def _basis(colours: NDArray[Any]) -> NDArray[np.float64]:
    """`(3, n)` grey levels to `(n, 10)` terms."""
    r, g, b = colours.astype(np.float64) / 128 - 1
    one = np.ones_like(r)
    return np.stack([one, r, g, b, r * r, g * g, b * b, r * g, r * b, g * b], axis=-1)
