"""What was seen of a region after the start of a forecast: read when the forecast is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from forecast.hindcast.past import Past
from forecast.network.patches import FACTOR
from forecast.region.earlier import read_earlier_cells
from forecast.region.ground import Ground
from forecast.region.images import EarlierSource
from preprocessing.lasting_change.labelling import MOST_DATES
from preprocessing.rasters.io import RasterSource

__all__ = ["read_truth"]


def read_truth(
    ground: Ground, start: RasterSource, later: Sequence[EarlierSource], folder: Path
) -> tuple[Past, int, tuple[str, ...]]:
    """Lay later images over the start and bring them to its colours.

    Args:
        ground: The start.
        start: Its image.
        later: From `DatedImages.after`.
        folder: For a map of one image at a time.

    Returns:
        The start, the last dates before it and all later ones, of the cells of the region's own
        grid, by years after the start; the position of the start; and for each image that could
        not be used a sentence that says why.

    Raises:
        RequestError: See `read_earlier_cells`.
    """
    # Colours are carried on from date to date, away from the start.
    found, left_out = read_earlier_cells(start, later[::-1], ground.cells, ground.seen, folder)
    before = slice(max(0, len(ground.earlier.years) - MOST_DATES + 1), None)
    height, width = (size // FACTOR for size in ground.stored.shape[1:])
    inside = (..., slice(height), slice(width))
    cells = (ground.earlier.cells[before], ground.cells[None], found.cells[::-1])
    known = (ground.earlier.known[before], ground.seen[None], found.known[::-1])
    years = np.concatenate([-ground.earlier.years[before], [0.0], -found.years[::-1]])
    past = Past(
        np.concatenate([np.asarray(part[inside], np.float16) for part in cells]),
        np.concatenate([part[inside] for part in known]),
        years.astype(np.float64),
    )
    return past, len(ground.earlier.years[before]), left_out
