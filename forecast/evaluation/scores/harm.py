"""Does it do harm: errors of the forecast over those of "nothing changes"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.scores.statistic import Array, Statistic, ratio

__all__ = ["Harm"]

_ROUNDING = 1e-5
"""Share of a mean square error that float32 images may cost without harm."""
_LEAST = 1e-9
"""Of a mean square error, so that a perfect forecast has a finite logarithm."""


class Harm(Statistic):
    """Errors over those of the present as a forecast; above 1 looking at the present is better.

    `harm_mean`, `harm_representative`: RMSE of the mean (`PlaceForecast.mean`) and of the member
    nearest that of all over the RMSE of persistence; geometric means over cases, which count alike.
    `harm_share`: share of the cases whose mean does worse than persistence.
    `rmse`, `rmse_persistence`: root of the mean over cases of the square error of the mean and of
    persistence, 0..1.
    """

    name = "harm"

    def sums(self, forecast: PlaceForecast, case: SeriesCase) -> Array:
        """Logarithms of the two ratios, harm of the mean, two square errors, cases."""
        if forecast.members is None or not case.seen.any():
            return np.zeros(6)

        def error(image: NDArray[np.float32]) -> float:
            return float(((image - case.truth)[:, case.seen].astype(np.float64) ** 2).mean())

        still = max(error(case.present), _LEAST)
        mean, single = (
            max(error(image), _LEAST)
            for image in (
                forecast.mean,
                forecast.members[forecast.representative],
            )
        )
        return np.array(
            [
                0.5 * np.log(mean / still),
                0.5 * np.log(single / still),
                float(mean > still * (1 + _ROUNDING)),
                still / 255**2,
                mean / 255**2,
                1.0,
            ]
        )

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        mean, single, worse, still, square = (ratio(sums[..., i], sums[..., 5]) for i in range(5))
        return {
            "harm_mean": np.exp(mean),
            "harm_representative": np.exp(single),
            "harm_share": worse,
            "rmse": np.sqrt(square),
            "rmse_persistence": np.sqrt(still),
        }
