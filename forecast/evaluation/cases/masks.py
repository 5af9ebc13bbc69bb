"""Places of two dates whose change people drew: scored against, never learnt from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forecast.evaluation.cases.case import SeriesCase, build_case
from forecast.evaluation.cases.places import middle, window
from forecast.evaluation.cases.plan import case_at
from preprocessing.errors import MissingFileError
from preprocessing.series import PlaceSeries, SeriesStore

__all__ = ["mask_cases"]


def mask_cases(
    store: SeriesStore, folder: Path, *, side_px: int | None = None
) -> Iterator[SeriesCase]:
    """Cases from the first to the last date of the places that have a mask.

    Args:
        store: Series.
        folder: Masks as `{place}.png`, of the size of the place to a few pixels, above 0 where
            something was built between its dates.
        side_px: See `cases_of`.

    Raises:
        MissingFileError: No mask is of a place in the store.
    """
    if not folder.is_dir():
        raise MissingFileError(f"expected a folder of masks, found none at {folder}")
    paths = {path.stem: path for path in sorted(folder.glob("*.png"))}
    names = [name for name in store.names if name in paths]
    if not names:
        raise MissingFileError(
            f"expected masks named like places ({', '.join(store.names[:3])} ...) as .png in "
            f"{folder}, found {len(paths)} others; name them so or leave the option out"
        )
    for name in names:
        place = store.place(name)
        mask = _read(paths[name], place)
        if side_px is not None:
            mask, place = mask[window(place, side_px)], middle(place, side_px)
        last = len(place.years) - 1
        yield build_case(place, case_at(place.years, 0, last, 1), mask=mask)


def _read(path: Path, place: PlaceSeries) -> NDArray[np.bool_]:
    """A mask on the pixels of its place; what it does not reach is not built."""
    drawn = np.asarray(Image.open(path).convert("L")) > 0
    height, width = place.valid.shape[-2:]
    mask = np.zeros((height, width), bool)
    part = drawn[:height, :width]
    mask[: part.shape[0], : part.shape[1]] = part
    return mask
