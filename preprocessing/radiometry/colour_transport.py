"""Colours carried over from one date to another by the ground that did not change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from preprocessing.errors import NoValidPixelsError

__all__ = ["ColourTransport"]

_COARSE, _ROUNDS = 8, 20
_LEAST_CELLS = 30
_MOST_CELLS = 60_000
_LEAST_WEIGHT = 1e-4
_TUKEY = 3.0
"""Residuals of so many robust standard deviations count no more."""
_LEAST_SPREAD = 2.0
"""Grey levels below which residuals are rounding."""
_NOISE = 1.0
"""Variance in squared grey levels added to both sides: what varies less is left as it is."""
_PRIOR = 1.0
"""Weight of the transport's directions against the correlations between both dates (0..1)."""
_MOST_CONTRAST = 1.5
"""Ratio of contrasts, in any direction of colour, that a mapped date may have to the other date."""
_MEDIAN = float(chdtri(3, 0.5))


@dataclass(frozen=True, eq=False)
class ColourTransport:
    """A linear map of red, green and blue together, fitted on unchanged ground.

    It gives the colours of unchanged ground the mean and covariance that they have at the other
    date. Of all maps that do, the linear Monge-Kantorovitch map moves colours least (Pitie and
    Kokaram 2007); the one that lies nearest to the other date cell by cell solves an orthogonal
    Procrustes problem (Schoenemann 1966). This is the solution for the sum of both goals: where
    the dates are well correlated they decide, else colours keep their order.

    Changed ground does not pull: cells are weighted by Tukey's biweight of what is left after the
    map (Holland and Welsch 1977), first by its length, then in standard deviations of unchanged
    ground along each direction, in which change of hue stands out.

    A regression from one date to the other (`ColourMap`) takes all that differs on its own, noise,
    dither, crops, for a lack of contrast, and flattens the date; where most of the ground changed
    it turns colours over.

    Attributes:
        matrix: `(3, 3)`.
        moving_mean: `(3,)` grey levels of 0..255 that become `reference_mean`.
        reference_mean: `(3,)` grey levels.
    """

    matrix: NDArray[np.float64]
    moving_mean: NDArray[np.float64]
    reference_mean: NDArray[np.float64]

    @classmethod
    def identity(cls) -> ColourTransport:
        """The map that changes nothing."""
        return cls(np.eye(3), np.zeros(3), np.zeros(3))

    def inverse(self) -> ColourTransport:
        """The map back."""
        return ColourTransport(
            np.asarray(np.linalg.inv(self.matrix), np.float64),
            self.reference_mean,
            self.moving_mean,
        )

    @classmethod
    def fit(
        cls,
        moving: NDArray[np.float32],
        reference: NDArray[np.float32],
        valid: NDArray[np.bool_] | None = None,
    ) -> ColourTransport:
        """Find the map that gives one image the colours of another of the same ground.

        Args:
            moving: `(3, ...)` means over cells, in grey levels of 0..255.
            reference: Likewise.
            valid: `(...)` cells that both images show. Default: all.

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
        everywhere = np.cov(source.T), np.cov(target.T)
        for number in range(_ROUNDS):
            fitted = cls._of_unchanged(source, target, weights)._bounded(*everywhere)
            left = target - fitted._of(source)
            weights = (_by_length if number < _COARSE else _by_direction)(left, weights)
        return fitted

    @classmethod
    def _of_unchanged(
        cls,
        source: NDArray[np.float64],
        target: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> ColourTransport:
        """The map for colours `(n, 3)` with the weights `(n,)` that they have."""
        total = weights.sum()
        mean, wanted = weights @ source / total, weights @ target / total
        x, y = source - mean, target - wanted
        noise = _NOISE * np.eye(3)
        xx = (x * weights[:, None]).T @ x / total + noise
        yy = (y * weights[:, None]).T @ y / total + noise
        yx = (y * weights[:, None]).T @ x / total
        white, back = _power(xx, -0.5), _power(yy, 0.5)
        least_moved = white @ _power(_power(xx, 0.5) @ yy @ _power(xx, 0.5), 0.5) @ white
        turns = _power(yy, -0.5) @ (yx @ white + _PRIOR * least_moved @ _power(xx, 0.5))
        u, _, v = np.linalg.svd(turns)
        return cls(back @ u @ v @ white, mean, wanted)

    def _bounded(
        self, moving: NDArray[np.float64], reference: NDArray[np.float64]
    ) -> ColourTransport:
        """The same map, but the whole date gets no contrast far above that of the other date.

        Unchanged ground of hardly any contrast, one crop say, tells none: what it was stretched by
        would burn out all other ground.

        Args:
            moving: `(3, 3)` covariance of all cells of the date that is mapped.
            reference: Likewise of the other date.
        """
        noise = _NOISE * np.eye(3)
        white, back = _power(reference + noise, -0.5), _power(reference + noise, 0.5)
        mapped = self.matrix @ (moving + noise) @ self.matrix.T
        values, vectors = np.linalg.eigh(white @ mapped @ white)
        contrast = np.sqrt(np.maximum(values, 1e-9))
        change = np.minimum(contrast, _MOST_CONTRAST) / contrast
        matrix = back @ (vectors * change) @ vectors.T @ white @ self.matrix
        return ColourTransport(matrix, self.moving_mean, self.reference_mean)

    def apply(self, image: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map an image `(3, ...)` in grey levels; the result may leave 0..255."""
        flat = image.reshape(3, -1).T.astype(np.float64)
        return self._of(flat).T.reshape(image.shape).astype(np.float32)

    def _of(self, colours: NDArray[np.float64]) -> NDArray[np.float64]:
        """Colours `(n, 3)`."""
        mapped: NDArray[np.float64] = (colours - self.moving_mean) @ self.matrix.T
        return mapped + self.reference_mean


def _by_length(left: NDArray[np.float64], _: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights `(n,)` by the root mean square of residuals `(n, 3)` over bands."""
    squared = (left**2).mean(axis=1)
    spread = max(_LEAST_SPREAD, 1.48 * float(np.median(np.sqrt(squared))))
    return _biweight(squared / spread**2)


def _by_direction(left: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights by Mahalanobis distance; its median is that of ground with normal noise alone."""
    spread = (left * weights[:, None]).T @ left / weights.sum() + 0.3 * np.eye(3)
    squared = np.einsum("ni,ij,nj->n", left, np.linalg.inv(spread), left)
    return _biweight(squared * _MEDIAN / max(float(np.median(squared)), 1e-9))


def _biweight(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tukey's biweight of squared residuals in robust variances."""
    ratio = squared / _TUKEY**2
    weights: NDArray[np.float64] = np.where(ratio < 1, (1 - ratio) ** 2, 0) + _LEAST_WEIGHT
    return weights


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    powered: NDArray[np.float64] = (vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T
    return powered
