"""From scores of single images to means with intervals, differences and ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from app.comparison.methods import BASELINE, Method
from app.comparison.request import Level, level_name
from app.comparison.scores import METRICS
from forecast.evaluation.scores.bootstrap import draw_units, estimate
from preprocessing.quality.scores import Estimate

__all__ = ["ALL", "RANKED", "Scores", "Summary", "summarise"]

ALL = "all"
RANKED = ("ssim", "psnr_db", "distance")
"""Metrics that are ranked; the order by squared error is that of PSNR."""


@dataclass(frozen=True)
class Scores:
    """Everything that was measured.

    Attributes:
        images: Names of the images.
        sizes: Their heights and widths.
        levels: JPEG qualities.
        methods: The methods.
        values: `(images, levels, methods, metrics)`, metrics in the order of `METRICS`.
        seconds: `(images, levels, methods)`, of each restoration.
    """

    images: Sequence[str]
    sizes: Sequence[tuple[int, int]]
    levels: Sequence[Level]
    methods: Sequence[Method]
    values: NDArray[np.float64]
    seconds: NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """One method at one level, or over all.

    Attributes:
        method: Its name.
        level: Name of the level, or `ALL`.
        scores: Means over images by metric.
        gains: Means of the difference to bicubic by metric; none for bicubic itself.
        ranks: Mean rank among the methods by metric of `RANKED`, 1 the best; shared ranks count as
            their mean.
        seconds_per_megapixel: Time over pixels of the result, median of all runs.
    """

    method: str
    level: str
    scores: dict[str, Estimate]
    gains: dict[str, Estimate]
    ranks: dict[str, Estimate]
    seconds_per_megapixel: float

    def verdict(self, metric: str) -> str:
        """`better` or `worse` than bicubic where the interval excludes zero, else nothing."""
        return METRICS[metric].verdict(self.gains[metric]) if metric in self.gains else ""


def summarise(scores: Scores, *, seed: int) -> list[Summary]:
    """Summaries by level, all levels first, methods in their order.

    Intervals draw images again (2000 resamples, the same for all methods); with fewer than five
    images there are none.
    """
    count = len(scores.images)
    draws = draw_units(count, seed=seed, name="comparison") / count

    def mean(values: NDArray[np.float64]) -> Estimate:
        return estimate(float(values.mean()), draws @ values, count)

    ranks = _ranks(scores.values)
    base = [method.name for method in scores.methods].index(BASELINE)
    pixels = np.prod(np.asarray(scores.sizes), axis=1)[:, None, None]
    pace = 1e6 * scores.seconds / pixels
    places = [(level_name(level), [i]) for i, level in enumerate(scores.levels)]
    if len(places) > 1:
        places.insert(0, (ALL, list(range(len(places)))))
    found = []
    for name, index in places:
        values = scores.values[:, index].mean(axis=1)
        for m, method in enumerate(scores.methods):
            gain = values[:, m] - values[:, base]
            found.append(
                Summary(
                    method.name,
                    name,
                    {k: mean(values[:, m, i]) for i, k in enumerate(METRICS)},
                    {k: mean(gain[:, i]) for i, k in enumerate(METRICS) if m != base},
                    {k: mean(ranks[k][:, index, m].mean(axis=1)) for k in RANKED},
                    float(np.median(pace[:, index, m])),
                )
            )
    return found


def _ranks(values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """By metric `(images, levels, methods)`: the rank among the methods."""
    signs = {name: -1 if info.better == "higher" else 1 for name, info in METRICS.items()}
    return {
        name: np.asarray(rankdata(signs[name] * values[..., i], axis=2))
        for i, name in enumerate(METRICS)
        if name in RANKED
    }
