"""What every forecast of observations is compared with: nothing changes, dressed with noise."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.horizons import horizon_class
from forecast.training.place_tensors import GroundPlace
from preprocessing.errors import ModelFolderError
from preprocessing.tiles.cells import cell_means, cells_valid

__all__ = ["DressedPersistence"]

_LEVELS = 401
_PAIRS_A_PLACE = 24
_VALUES_A_PAIR = 4000
_FILE = "dressed_persistence.json"


@dataclass(frozen=True)
class DressedPersistence:
    """Persistence plus residuals drawn from training places of like horizon and resolution.

    The residuals of a training dataset are kept as quantiles per horizon class; a query takes
    the dataset whose metres per pixel are nearest (in the logarithm), and the nearest horizon
    class that dataset has. Residuals are drawn independently for each value: the score of
    single values cannot see their joint distribution.

    Attributes:
        tables: Rows of `gsd_m`, `horizon_class` and `quantiles` (401 evenly spaced levels).
    """

    tables: tuple[dict[str, Any], ...]

    @classmethod
    def fit(cls, places: Sequence[GroundPlace], *, seed: int = 0) -> DressedPersistence:
        """Estimate the residuals between dates of training places, in the colours of the last."""
        generator = np.random.default_rng(seed)
        found: dict[tuple[str, int], list[NDArray[np.float32]]] = defaultdict(list)
        metres: dict[str, list[float]] = defaultdict(list)
        for place in places:
            if place.gsd_m > 0:
                metres[place.dataset].append(place.gsd_m)
            for i, j in _pairs(len(place.years), generator):
                horizon = int(horizon_class(place.years[j] - place.years[i]))
                found[place.dataset, horizon].append(_residuals(place, i, j, generator))
        levels = np.linspace(0, 1, _LEVELS)
        tables = []
        for (dataset, horizon), parts in sorted(found.items()):
            values = np.concatenate(parts)
            if values.size:
                tables.append(
                    {
                        "dataset": dataset,
                        "gsd_m": float(np.median(metres[dataset])) if metres[dataset] else 0.0,
                        "horizon_class": horizon,
                        "quantiles": np.round(np.quantile(values, levels), 5).tolist(),
                    }
                )
        return cls(tuple(tables))

    def residuals(
        self, shape: tuple[int, ...], *, years: float, gsd_m: float, generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Random differences of cells to nothing changes, 0..1 units.

        Args:
            shape: Of the result.
            years: Horizon.
            gsd_m: Metres per pixel, 0 where not known.
            generator: They are drawn from.
        """
        quantiles = self._table(years, gsd_m)["quantiles"]
        level = generator.random(shape) * (len(quantiles) - 1)
        drawn = np.interp(level, np.arange(len(quantiles)), quantiles)
        return np.asarray(drawn, np.float32)

    def _table(self, years: float, gsd_m: float) -> dict[str, Any]:
        horizon = int(horizon_class(years))

        def distance(table: dict[str, Any]) -> tuple[float, int]:
            both = gsd_m > 0 and table["gsd_m"] > 0
            ratio = abs(math.log(table["gsd_m"] / gsd_m)) if both else 0.0
            return round(ratio, 3), abs(table["horizon_class"] - horizon)

        return min(self.tables, key=distance)

    def save(self, folder: Path) -> None:
        """Write into a model folder."""
        (folder / _FILE).write_text(json.dumps(self.tables), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> DressedPersistence:
        """Read from a model folder.

        Raises:
            ModelFolderError: The folder has none, or a damaged one.
        """
        path = folder / _FILE
        if not path.is_file():
            raise ModelFolderError(
                f"expected {_FILE} in the model folder {folder}, found none; "
                "train the model again with 'landcast train forecast'"
            )
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            for row in rows:
                float(row["gsd_m"]), int(row["horizon_class"])
                np.array(row["quantiles"], np.float32).reshape(_LEVELS)
            return cls(tuple(rows))
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise ModelFolderError(
                f"expected residuals of training places in {path}, it is damaged ({err}); train "
                "the model again with 'landcast train forecast'"
            ) from err


def _pairs(dates: int, generator: np.random.Generator) -> list[tuple[int, int]]:
    """Some pairs of dates, the earlier first."""
    every = [(i, j) for i in range(dates) for j in range(i + 1, dates)]
    order = generator.permutation(len(every))[:_PAIRS_A_PLACE]
    return [every[number] for number in order]


def _residuals(
    place: GroundPlace, i: int, j: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Differences of some cells between two dates, 0..1 units."""
    both = cells_valid(place.valid[i] & place.valid[j])
    looks = [
        place.colours[date, :, :3] @ cell_means(place.images[date])[:, both] / 255
        + place.colours[date, :, 3:]
        for date in (i, j)
    ]
    values = (looks[1] - looks[0]).ravel()
    return generator.permutation(values)[:_VALUES_A_PAIR].astype(np.float32)
