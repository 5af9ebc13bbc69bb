"""Pictures: do members keep the detail of the ground, stay changed, and look like the region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.scores.statistic import Array, Statistic, ratio
from preprocessing.tiles.cells import CELL, cell_means, cells_valid

__all__ = ["Pictures"]

_NOVEL, _AWAY, _BACK = 10.0, 25.0, 10.0
_LEAST = 1e-6
Fields = NDArray[np.float32]


class Pictures(Statistic):
    """What a viewer of the film would see; needs no image of the future but for `novel_truth`.

    `detail`: root of the energy of the pixels about the mean of their cell of 4x4, of members over
    the present; 1 keeps all detail, geometric mean over cases. `flicker`: of the cells that a
    member had changed by more than 25 grey levels the year before, the share that is back within
    10. `novel`: share of the members' cells more than 10 levels from every colour of the present's
    cells; `novel_truth`: of the truth's.
    """

    name = "pictures"

    def sums(self, forecast: PlaceForecast, case: SeriesCase) -> Array:
        """Logarithm of detail, cases; back, away; novel shares of members and truth, cases."""
        row = np.zeros(7)
        if forecast.members is None or not case.seen.any():
            return row
        if forecast.states is not None:
            ours, theirs = (
                _detail(x, case.past.valid[-1]) for x in (forecast.states, case.past.images[-1:])
            )
            if theirs > 0:
                row[:2] = 0.5 * np.log(max(ours, _LEAST) / theirs), 1
        now = forecast.members[:, :, case.seen]
        present = case.present[:, case.seen]
        if forecast.year_before is not None:
            before = forecast.year_before[:, :, case.seen]
            away = np.abs(before - present).mean(axis=1) > _AWAY
            back = np.abs(now - present).mean(axis=1) < _BACK
            row[2:4] = (away & back).mean(), away.mean()
        tree = cKDTree(present.T)
        colours = np.moveaxis(now, 1, -1).reshape(-1, 3)
        row[4:] = _far(tree, colours), _far(tree, case.truth[:, case.seen].T), 1
        return row

    def scores(self, sums: Array) -> dict[str, Array]:
        """See the class."""
        return {
            "detail": np.exp(ratio(sums[..., 0], sums[..., 1])),
            "flicker": ratio(sums[..., 2], sums[..., 3]),
            "novel": ratio(sums[..., 4], sums[..., 6]),
            "novel_truth": ratio(sums[..., 5], sums[..., 6]),
        }


def _detail(images: NDArray[np.uint8], valid: NDArray[np.bool_]) -> float:
    """Mean variance within the valid cells of `(m, 3, H, W)`."""
    values = images.astype(np.float32)
    means = cell_means(values)
    h, w = (size * CELL for size in means.shape[-2:])
    smooth = means.repeat(CELL, axis=-2).repeat(CELL, axis=-1)
    within = cell_means((values[..., :h, :w] - smooth) ** 2)
    return float(within[..., cells_valid(valid)].mean(dtype=np.float64))


def _far(tree: cKDTree, colours: Fields) -> float:
    """Share of the colours `(n, 3)` that are far from all of the tree."""
    distance, _ = tree.query(colours, distance_upper_bound=_NOVEL)
    return float(np.isinf(distance).mean())
