"""New built-up ground in made worlds: the one case where what spreads is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.cases.case import SeriesCase, build_case
from forecast.evaluation.cases.plan import case_at
from preprocessing.rasters.dates import decimal_year
from preprocessing.series import PlaceSeries
from preprocessing.simulator import Cover, World
from preprocessing.tiles.cells import cell_means

__all__ = ["world_case"]

_MOSTLY = 0.5


def world_case(world: World, *, start: int, target: int) -> SeriesCase:
    """Where ground is built up between two years of a world that is not at the start.

    Args:
        world: Years without clouds, on whole cells.
        start: Position of the present among its years.
        target: Position of the year that is forecast.

    Returns:
        A case that is scored and never learnt from; `already` is built-up ground at the start, and
        only other ground is known.
    """
    images = [np.rint(raster.data * 255).astype(np.uint8) for raster in world.rasters]
    place = PlaceSeries(
        f"world {world.config.seed}",
        "worlds",
        "val",
        world.rasters[0].grid.gsd_m or float("nan"),
        np.array([decimal_year(raster.date) for raster in world.rasters if raster.date]),
        np.stack(images),
        np.stack([raster.valid for raster in world.rasters]),
    )
    before, after = (_built(world.covers[year]) for year in (start, target))
    plan = case_at(place.years, start, target, 3)
    case = build_case(place, plan, mask=world.covers[target] == Cover.BUILT_UP, already=before)
    known = case.known & ~before
    return replace(case, event=after & known, known=known)


def _built(cover: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Cells that are mostly built up."""
    return np.asarray(cell_means(cover == Cover.BUILT_UP) > _MOSTLY)
