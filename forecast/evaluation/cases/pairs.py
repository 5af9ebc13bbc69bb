"""Pairs of tiles as cases: places of two dates of which nothing but the pictures is known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from forecast.baselines import DressedPersistence
from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.method import CaseMethod
from forecast.evaluation.methods.tile import forecast_tile
from forecast.hindcast.observations import ObservationModel
from forecast.network.unet import ChangeUNet
from forecast.region.familiarity import Familiarity
from preprocessing.errors import ModelFolderError
from preprocessing.rasters.dates import date_from_name, decimal_year
from preprocessing.series import PlaceSeries
from preprocessing.series.pair_index import PairIndex
from preprocessing.tiles.cells import cell_means, cells_valid

__all__ = ["pair_baselines", "pair_case", "pair_cases", "pair_name", "tile_forecaster"]

_BLOCK = 64
_STREAM = 9


def pair_name(index: PairIndex, number: int) -> str:
    """What the case of a pair is called: its source and the position of its tile."""
    return f"{index.source[number]} at {index.row[number]}, {index.col[number]}"


def pair_cases(index: PairIndex, chosen: NDArray[np.intp], *, split: str) -> Iterator[SeriesCase]:
    """Read pairs as cases, a block of them at a time.

    Args:
        index: Pairs of a split.
        chosen: Positions of those wanted, in their order.
        split: Of all of them.
    """
    for first in range(0, len(chosen), _BLOCK):
        part = chosen[first : first + _BLOCK]
        pairs = index.read(part)
        for i, number in enumerate(part.tolist()):
            date = date_from_name(str(pairs.source[i]).split("/")[-2])
            past = PlaceSeries(
                pair_name(index, number),
                str(index.dataset[number]),
                split,
                float(pairs.gsd_m[i]),
                np.array([0.0 if date is None else decimal_year(date)]),
                pairs.past[i : i + 1],
                pairs.valid[i : i + 1],
            )
            yield pair_case(past, pairs.future[i], years=float(pairs.years[i]))


def pair_case(past: PlaceSeries, future: NDArray[np.uint8], *, years: float) -> SeriesCase:
    """A case of two pictures.

    Args:
        past: Of one date, valid where both were observed.
        future: `(3, H, W)` in the colours of the past.
        years: From one to the other.
    """
    seen = cells_valid(past.valid[0])
    nowhere = np.zeros_like(seen)
    return SeriesCase(
        past=past,
        years=years,
        present=cell_means(past.images[0]),
        truth=cell_means(future),
        seen=seen,
        earlier=np.zeros((0, 3, *seen.shape), np.float32),
        earlier_seen=np.zeros((0, *seen.shape), bool),
        older=(),
        event=nowhere,
        known=nowhere,
        later_dates=1,
    )


def tile_forecaster(
    name: str,
    model: ChangeUNet,
    observations: ObservationModel,
    familiarity: Familiarity | None,
    *,
    members: int,
    seed: int,
) -> CaseMethod:
    """A trained network, straight to the horizon of each pair.

    The noise of a pair depends on seed and pair only. It raises `ModelFolderError` where a forecast
    is not finite: left out as a pair that cannot be forecast, it would flatter the model.
    """

    def forecast(case: SeriesCase) -> PlaceForecast:
        past = case.past
        found = forecast_tile(
            model,
            observations,
            past.images[-1],
            past.valid[-1],
            years=case.years,
            gsd_m=past.gsd_m if np.isfinite(past.gsd_m) else None,
            members=members,
            seed=int(case.generator(seed, _STREAM).integers(2**62)),
            familiarity=familiarity,
        )
        if not np.isfinite(found.observations).all():
            raise ModelFolderError(
                f"expected finite forecasts of the model {name}, got NaN or infinity; its weights "
                "are damaged or its training diverged, train it again"
            )
        return PlaceForecast(
            members=255 * found.states,
            probability=found.probability,
            observations=255 * found.observations,
        )

    return CaseMethod(name, forecast)


def pair_baselines(dressed: DressedPersistence, *, members: int, seed: int) -> list[CaseMethod]:
    """Persistence, and persistence with residuals of training drawn around it."""

    def still(case: SeriesCase) -> PlaceForecast:
        return PlaceForecast(members=case.present[None])

    def dress(case: SeriesCase) -> PlaceForecast:
        residuals = dressed.residuals(
            (members, *case.present.shape),
            years=case.years,
            gsd_m=float(np.nan_to_num(case.past.gsd_m)),
            generator=case.generator(seed, _STREAM),
        )
        return PlaceForecast(members=case.present + 255 * residuals)

    return [CaseMethod("persistence", still), CaseMethod("dressed persistence", dress)]
