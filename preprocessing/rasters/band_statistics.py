"""What a band holds in sum, counted block by block while it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BandStatistics"]


@dataclass
class BandStatistics:
    """Of the valid values of a band, as GDAL keeps them; programs stretch pictures by them.

    Attributes:
        count: Values.
        total: Their sum.
        squares: The sum of their squares.
        low: The least.
        high: The greatest.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    def add(
        self, values: NDArray[Any], valid: NDArray[np.bool_] | None, nodata: float | None
    ) -> None:
        """Count a block `(h, w)`; `valid` is of its pixels, all where None."""
        known = np.isfinite(values) if valid is None else np.isfinite(values) & valid
        if nodata is not None:
            known &= values != nodata
        some = values[known].astype(np.float64)
        if some.size:
            self.count += some.size
            self.total += float(some.sum())
            self.squares += float((some**2).sum())
            self.low, self.high = min(self.low, some.min()), max(self.high, some.max())

    def tags(self) -> dict[str, str]:
        """By the names of GDAL; none where nothing was counted."""
        if not self.count:
            return {}
        mean = self.total / self.count
        spread = max(self.squares / self.count - mean**2, 0.0) ** 0.5
        values = {"MINIMUM": self.low, "MAXIMUM": self.high, "MEAN": mean, "STDDEV": spread}
        return {f"STATISTICS_{name}": f"{value:.10g}" for name, value in values.items()}
