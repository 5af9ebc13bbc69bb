"""Which place, dates and window a training item can show, and how often it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.network.patches import FACTOR, TILE_PX
from forecast.training.place_tensors import UNKNOWN, Ground, GroundPlace
from preprocessing.errors import RequestError

__all__ = ["Catalogue"]

_CELLS = TILE_PX // FACTOR
_STRIDE = 16
_LEAST_KNOWN = 0.5


@dataclass(frozen=True)
class Catalogue:
    """Every window of every pair of dates that can be drawn; n rows.

    Attributes:
        rows: `(n, 6)` int64: place, start, end (dates of the place), label, row and column of the
            window in cells.
        share: `(n,)` how often each is drawn.
        weight: `(n,)` what it then counts for occurrence.
    """

    rows: NDArray[np.int64]
    share: NDArray[np.float64]
    weight: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        places: Sequence[GroundPlace],
        ground: Ground,
        *,
        weights: Mapping[str, float],
        longest: float = 32.0,
        boost: float = 30.0,
    ) -> Catalogue:
        """List the windows of labelled pairs of dates on a grid of half tiles.

        Args:
            places: As `ground` was made of.
            ground: For their sizes.
            weights: Of datasets; 1 for those not named, 0 leaves one out.
            longest: Horizon in years.
            boost: See `Drawing`.

        Raises:
            RequestError: There are none.
        """
        rows: list[tuple[int, ...]] = []
        changed: list[float] = []
        of_dataset: list[str] = []
        label_number = 0
        for number, place in enumerate(places):
            height, width = int(ground.height[number]), int(ground.width[number])
            tops = sorted({*range(0, height - _CELLS, _STRIDE), height - _CELLS})
            lefts = sorted({*range(0, width - _CELLS, _STRIDE), width - _CELLS})
            valid = place.valid[:, ::FACTOR, ::FACTOR]
            first, label_number = label_number, label_number + len(place.labels)
            for own, ((i, j), label) in enumerate(place.labels.items(), start=first):
                if not 0.4 < place.years[j] - place.years[i] <= longest:
                    continue
                both = valid[i] & valid[j]
                for top in tops:
                    for left in lefts:
                        at = (slice(top, top + _CELLS), slice(left, left + _CELLS))
                        if both[at].sum() < _LEAST_KNOWN * _CELLS**2:
                            continue
                        here = label[at]
                        changed.append(float(here[here != UNKNOWN].sum()) / 254 / _CELLS**2)
                        rows.append((number, i, j, own, top, left))
                        of_dataset.append(place.dataset)
        if not rows:
            raise RequestError(
                f"expected windows of {_CELLS} x {_CELLS} cells that are labelled with what "
                f"changed lastingly, found none in {len(places)} places; give series of four "
                "dates and more, or simulated worlds in the recipe"
            )
        table = np.array(rows, dtype=np.int64).reshape(-1, 6)
        names, index = np.unique(of_dataset, return_inverse=True)
        total = np.array([weights.get(str(name), 1.0) for name in names])
        # Within a dataset places count by the root of the number of their windows.
        _, place_index, place_size = np.unique(table[:, 0], return_inverse=True, return_counts=True)
        plain: NDArray[np.float64] = 1 / np.sqrt(place_size[place_index])
        plain *= total[index] / np.bincount(index, plain)[index]
        plain /= plain.sum()
        drawn = plain * (1 + boost * np.minimum(1.0, np.array(changed) * 4))
        drawn /= drawn.sum()
        return cls(table, drawn, (plain / drawn).astype(np.float32))
