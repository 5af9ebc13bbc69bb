"""Bounds of the tile filters fitted from the data's own quantiles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from preprocessing.errors import NoValidPixelsError
from preprocessing.tiles.filters import FilterConfig

__all__ = ["BoundsFit"]

_BINS = 10_000


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(_BINS, np.int64)


@dataclass
class BoundsFit:
    """Counts tiles by edge density and by change.

    Shares of 0..1 are counted in 10,000 bins: memory does not grow with the data, and order and
    grouping of the tiles do not matter.

    Attributes:
        edge_counts: `(10000,)` tiles by edge density.
        change_counts: `(10000,)` tiles by changed share.
    """

    edge_counts: NDArray[np.int64] = field(default_factory=_no_counts)
    change_counts: NDArray[np.int64] = field(default_factory=_no_counts)

    def add(self, edge_density: ArrayLike, changed: ArrayLike) -> BoundsFit:
        """Count tiles, in place; give only tiles with enough valid pixels.

        Args:
            edge_density: `(n,)` the larger edge density of the two dates, or `(n, 2)` both.
            changed: `(n,)` changed share.

        Returns:
            Itself.

        Raises:
            ValueError: Lengths differ, or a value is not 0 to 1.
        """
        edges, changes = np.asarray(edge_density, np.float64), np.asarray(changed, np.float64)
        if edges.ndim == 2:
            edges = edges.max(axis=1, initial=0)
        if edges.shape != changes.shape or edges.ndim != 1:
            raise ValueError(
                f"expected one edge density and one changed share a tile, got arrays of "
                f"shape {edges.shape} and {changes.shape}"
            )
        for name, values in (("edge density", edges), ("changed share", changes)):
            if not ((values >= 0) & (values <= 1)).all():
                raise ValueError(
                    f"expected an {name} of 0 to 1, got {values.min()}..{values.max()}"
                )
        self.edge_counts += _counts(edges)
        self.change_counts += _counts(changes)
        return self

    def __len__(self) -> int:
        return int(self.edge_counts.sum())

    def bounds(
        self, low: float = 0.02, high: float = 0.98, *, base: FilterConfig | None = None
    ) -> FilterConfig:
        """Bounds that keep the tiles between two quantiles.

        At most a share `low` of the tiles counted lies below `edge_low`, at most `1 - high` above
        `edge_high`, and at most `1 - high` from `max_changed` on (but for tiles that change
        wholly, which are always dropped).

        Args:
            low: Quantile of the edge density for `edge_low`, 0..1.
            high: Quantile of edge density and changed share for `edge_high` and `max_changed`.
            base: Takes the other settings from here.

        Raises:
            ValueError: `low` and `high` are not rising within 0 to 1.
            NoValidPixelsError: No tile was counted.
        """
        if not 0 <= low < high <= 1:
            raise ValueError(f"expected 0 <= low < high <= 1, got low {low} and high {high}")
        if len(self) == 0:
            raise NoValidPixelsError(
                "expected tiles to fit the filters' bounds to, none has enough valid pixels; "
                "state the bounds or use other images"
            )
        return replace(
            base or FilterConfig(),
            edge_low=_quantile_bin(self.edge_counts, low) / _BINS,
            edge_high=(_quantile_bin(self.edge_counts, high) + 1) / _BINS,
            max_changed=(_quantile_bin(self.change_counts, high) + 1) / _BINS,
        )


def _counts(values: NDArray[np.float64]) -> NDArray[np.int64]:
    bins = np.minimum((values * _BINS).astype(np.int64), _BINS - 1)
    return np.bincount(bins, minlength=_BINS)


def _quantile_bin(counts: NDArray[np.int64], share: float) -> int:
    """The first bin up to which at least `share` of the tiles lie."""
    below = np.cumsum(counts)
    # An empty share is reached by the first bin that holds a tile, not by bin 0. The small slack
    # keeps 0.98 of 50 tiles at 49 although the product is 49.000...01.
    needed = max(int(np.ceil(share * below[-1] - 1e-9)), 1)
    return int(np.searchsorted(below, needed))
