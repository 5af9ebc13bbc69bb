"""Units of the bootstrap: what is drawn again as a whole, because its pairs are alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.pairs.store import TILE_PX
from preprocessing.series.pair_index import PairIndex

__all__ = ["BLOCK_PX", "FEW_PLACES", "resampling_units"]

FEW_PLACES = 8
"""A dataset of fewer places is resampled by blocks of ground."""

BLOCK_PX = 2 * TILE_PX


def resampling_units(index: PairIndex) -> tuple[NDArray[np.str_], dict[str, str]]:
    """Name the unit each pair belongs to.

    Pairs of one place share ground, season and light, so places are drawn, not pairs. Where a
    dataset has fewer than eight places, the units are blocks of ground of 256 px (four tiles) with
    all their dates: such intervals speak of this ground, not of other places.

    Args:
        index: All pairs of the split, also those that are not scored: the kind of the units does
            not depend on the choice.

    Returns:
        `(n,)` unit of each pair, and by dataset the kind of its units, `places` or `blocks`.
    """
    kinds = {
        str(name): "places"
        if len(np.unique(index.place[index.dataset == name])) >= FEW_PLACES
        else "blocks"
        for name in np.unique(index.dataset)
    }
    # By the middle of the tile: the last tiles of a raster are pushed back into it.
    rows, cols = ((x + TILE_PX // 2) // BLOCK_PX for x in (index.row, index.col))
    units = [
        place if kinds[dataset] == "places" else f"{place} {row},{col}"
        for dataset, place, row, col in zip(
            index.dataset.tolist(), index.place.tolist(), rows.tolist(), cols.tolist(), strict=True
        )
    ]
    return np.array(units), kinds
