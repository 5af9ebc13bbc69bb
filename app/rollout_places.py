"""Whole places by models that learnt every difference between two dates, year after year."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.colours import LandColours
from forecast.evaluation.change import CHANGE_THRESHOLD
from forecast.evaluation.series.forecaster import ForecastYear, PlaceForecaster
from forecast.patches import padded_shape
from forecast.pretrained import load_model
from forecast.region import EarlierImage, RegionStepper
from forecast.rollout import rollout
from forecast.start import mirror_edges
from preprocessing.cells import cell_means
from preprocessing.filling import fill_invalid
from preprocessing.series import PlaceSeries
from sr.lift import ESRGANLift
from sr.pretrained import load_network

__all__ = ["padded_start", "rollout_place_forecaster"]

_LONGEST = 60
"""Years a rollout is planned for; it is stopped earlier."""


def rollout_place_forecaster(folder: Path, *, members: int, seed: int) -> PlaceForecaster:
    """Load a model folder once; each call rolls its members out side by side.

    Args:
        folder: Of the model.
        members: Members of the ensemble.
        seed: Of their noise.

    Raises:
        ModelFolderError: The model cannot be read.
    """
    network, lift, land = load_model(folder), ESRGANLift(load_network()), LandColours.load(folder)

    def forecast(past: PlaceSeries) -> Iterator[ForecastYear]:
        height, width = past.valid.shape[-2:]
        start = padded_start(past.images[-1], past.valid[-1])
        stepper = RegionStepper(
            network,
            lift,
            height=start.shape[1],
            width=start.shape[2],
            gsd_m=past.gsd_m if np.isfinite(past.gsd_m) else None,
            land=land,
        )
        scratch = Path(tempfile.mkdtemp(prefix="landcast-"))
        try:
            rolls = [
                rollout(
                    stepper,
                    start,
                    scratch / str(member),
                    seed=seed,
                    member=member,
                    start_year=int(past.years[-1]),
                    years=_LONGEST,
                    history=_history(past, stepper.history),
                )
                for member in range(members)
            ]
            present = start[:, :height, :width]
            for year in zip(*rolls, strict=True):
                states = np.stack([image[:, :height, :width] for _, image in year])
                moved = np.abs(states - present).mean(axis=1) > CHANGE_THRESHOLD
                yield ForecastYear(
                    np.rint(states.clip(0, 1) * 255).astype(np.uint8),
                    cell_means(moved.mean(axis=0, dtype=np.float32)),
                )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    return forecast


def _history(past: PlaceSeries, count: int) -> list[EarlierImage]:
    """The latest earlier dates in the colours of the present, the nearest first."""
    if count == 0 or len(past) == 1:
        return []
    latest = past.at(slice(-count - 1, None)).in_colours_of(-1)
    ago = latest.years[-1] - latest.years
    dates = range(len(latest) - 2, -1, -1)
    return [EarlierImage(_earlier(latest, date), float(ago[date])) for date in dates]


def _earlier(series: PlaceSeries, date: int) -> NDArray[np.float32]:
    """A date, with the present where it saw nothing: no change is known of there."""
    seen = series.valid[date]
    image = np.where(seen, series.images[date], series.images[-1])
    return padded_start(image, seen | series.valid[-1])


def padded_start(image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """An image `(3, h, w)` as 0..1, gaps filled, mirrored to a shape that the network takes."""
    height, width = valid.shape
    padded = np.empty((3, *padded_shape(height, width)), np.float32)
    padded[:, :height, :width] = fill_invalid(image, valid) / np.float32(255)
    mirror_edges(padded, height=height, width=width)
    return padded
