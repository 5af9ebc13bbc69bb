"""What every forecast is compared with: no change, with and without noise, and more of the same."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from forecast.horizons import horizon_class
from forecast.training.data import PairData
from preprocessing.errors import ModelFolderError

__all__ = ["DressedPersistence", "linear_trend", "persistence"]

_LEVELS = 401
_FILE = "dressed_persistence.json"


def persistence(past_low: Tensor) -> Tensor:
    """One member that says nothing changes: `(b, c, h, w)` to differences `(1, b, c, h, w)`."""
    return torch.zeros_like(past_low)[None]


def linear_trend(past_low: Tensor, yearly: Tensor, years: Tensor) -> Tensor:
    """One member that says the change seen before goes on at its pace.

    Args:
        past_low: `(b, c, h, w)`, 0..1.
        yearly: Change a year before the past, `(b, c, h, w)`; NaN where not known.
        years: `(b,)` horizons.

    Returns:
        Differences `(1, b, c, h, w)`; the future is kept within 0..1. NaN where not known.
    """
    future = past_low + yearly * years.view(-1, 1, 1, 1)
    return (future.clamp(0, 1) - past_low)[None]


@dataclass(frozen=True)
class DressedPersistence:
    """Persistence plus residuals drawn from the training pairs of like horizon and resolution.

    The residuals of a training dataset are kept as quantiles per horizon class; a query takes
    the dataset whose metres per pixel are nearest (in the logarithm), and the nearest horizon
    class that dataset has. Residuals are drawn independently for each value: the score of
    single values cannot see their joint distribution.

    Attributes:
        tables: Rows of `gsd_m`, `horizon_class` and `quantiles` (401 evenly spaced levels).
    """

    tables: tuple[dict[str, Any], ...]

    @classmethod
    def fit(cls, data: PairData, *, pairs_per_table: int = 256) -> DressedPersistence:
        """Estimate the residuals on training pairs."""
        tables: list[dict[str, Any]] = []
        classes = horizon_class(data.index.years)
        generator = np.random.default_rng(0)
        for dataset in data.counts:
            for horizon in np.unique(classes[data.index.dataset == dataset]):
                index = np.flatnonzero((data.index.dataset == dataset) & (classes == horizon))
                if len(index) > pairs_per_table:
                    index = generator.choice(index, pairs_per_table, replace=False)
                difference, weight = data.differences(index)
                residuals = difference[weight.expand_as(difference) > 0].numpy()
                known = data.index.gsd_m[index]
                known = known[np.isfinite(known)]
                gsd = np.median(known) if known.size else 0.0
                tables.append(
                    {
                        "dataset": dataset,
                        "gsd_m": float(gsd),
                        "horizon_class": int(horizon),
                        "quantiles": np.round(
                            np.quantile(residuals, np.linspace(0, 1, _LEVELS)), 5
                        ).tolist(),
                    }
                )
        return cls(tuple(tables))

    def members(
        self, past_low: Tensor, *, years: float, gsd_m: float, count: int, seed: int
    ) -> Tensor:
        """Differences `(count, b, c, h, w)` for pasts `(b, c, h, w)` of one horizon."""
        quantiles = torch.tensor(self._table(years, gsd_m)["quantiles"], dtype=torch.float32)
        generator = torch.Generator().manual_seed(seed)
        level = torch.rand((count, *past_low.shape), generator=generator) * (_LEVELS - 1)
        below = level.floor().long().clamp_max(_LEVELS - 2)
        share = level - below
        return quantiles[below] * (1 - share) + quantiles[below + 1] * share

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
            ModelFolderError: The folder has none.
        """
        path = folder / _FILE
        if not path.is_file():
            raise ModelFolderError(
                f"expected {_FILE} in the model folder {folder}, found none; "
                "export the model again with 'landcast train'"
            )
        return cls(tuple(json.loads(path.read_text(encoding="utf-8"))))
