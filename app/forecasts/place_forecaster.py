"""A forecaster as something that forecasts whole places of a series store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.methods.forecaster import ForecastYear, PlaceForecaster
from forecast.hindcast.observations import ObservationModels
from forecast.lift import Lift
from forecast.network.unet import ChangeUNet
from forecast.pretrained import load_model, model_folder
from forecast.region.earlier import EarlierCells
from forecast.region.familiarity import Familiarity
from forecast.region.ground import Ground, start_cells, write_ground
from forecast.region.local_calibration import teach
from forecast.region.member import MemberPaths, MemberRun
from forecast.region.tiled_inference import RegionNetwork
from forecast.start import DecodedImage, padded_start
from preprocessing.rasters.raster import Encoding
from preprocessing.series import PlaceSeries
from preprocessing.tiles.cells import cell_means
from sr.lift.guided_lift import GuidedLift
from sr.lift.network import load_guided

__all__ = ["place_forecaster"]


def place_forecaster(
    model: str | None, *, members: int, seed: int, calibrate: bool = True
) -> PlaceForecaster:
    """Load a model folder once; each call forecasts its members side by side.

    Args:
        model: Shipped name or folder; the default where None.
        members: Members of the ensemble.
        seed: Of their noise.
        calibrate: Learn from each place's own past where it has dates enough.

    Raises:
        ModelFolderError: The model cannot be read.
    """
    folder = model_folder(model)
    network, lift = load_model(folder), GuidedLift(load_guided())
    familiarity, observations = Familiarity.load(folder), ObservationModels.load(folder)

    def forecast(past: PlaceSeries) -> Iterator[ForecastYear]:
        with tempfile.TemporaryDirectory(prefix="landcast-") as name:
            scratch = Path(name)
            ground = _ground(past, scratch, familiarity)
            ground = _taught(
                ground, past, network, observations, scratch, seed=seed, calibrate=calibrate
            )
            runs = _runs(network, lift, ground, past, scratch, members=members, seed=seed)
            for horizon in count(1):
                for run in runs:
                    run.years(horizon)
                yield _year(ground, [run.paths for run in runs], int(past.years[-1]) + horizon)

    return forecast


def _ground(past: PlaceSeries, folder: Path, familiarity: Familiarity | None) -> Ground:
    """The last date as the start, the others as its history."""
    stored = padded_start(past.images[-1], past.valid[-1])
    np.save(folder / "start.npy", stored)
    np.save(folder / "valid.npy", past.valid[-1])
    start = DecodedImage(stored, Encoding())
    cells, seen = start_cells(start, past.valid[-1])
    add = [
        (0, size - known)
        for size, known in zip(seen.shape, past.cells_valid().shape[1:], strict=True)
    ]
    dates = np.pad(past.cells()[:-1] / 255, [(0, 0), (0, 0), *add]).astype(np.float16)
    known = np.pad(past.cells_valid()[:-1], [(0, 0), *add])
    ago = (past.years[-1] - past.years[:-1]).astype(np.float32)
    earlier, _ = EarlierCells.in_colours_of(cells, seen, dates, known, ago)
    write_ground(folder, start, cells, seen, lambda: (earlier, ()), _gsd_m(past), familiarity)
    return Ground.open(folder, Encoding())


def _taught(
    ground: Ground,
    past: PlaceSeries,
    network: ChangeUNet,
    observations: ObservationModels,
    folder: Path,
    *,
    seed: int,
    calibrate: bool,
) -> Ground:
    """What the place's own past teaches."""
    height, width = ground.objects.shape
    answers = RegionNetwork(network, height=height, width=width, gsd_m=_gsd_m(past))

    def picture(date: int) -> DecodedImage:
        ago = past.years[-1] - past.years
        nearest = int(np.abs(ago - float(ground.earlier.years[date])).argmin())
        stored = padded_start(past.images[nearest], past.valid[nearest])
        return DecodedImage(stored, Encoding())

    years = answers.longest_years  # How many will be asked for is not known.
    return teach(
        ground,
        folder,
        answers,
        observations,
        picture,
        seed=seed,
        years=years,
        calibrate=calibrate,
    )


def _gsd_m(past: PlaceSeries) -> float | None:
    return past.gsd_m if np.isfinite(past.gsd_m) else None


def _runs(
    network: ChangeUNet,
    lift: Lift,
    ground: Ground,
    past: PlaceSeries,
    scratch: Path,
    *,
    members: int,
    seed: int,
) -> list[MemberRun]:
    height, width = ground.objects.shape
    answers = RegionNetwork(network, height=height, width=width, gsd_m=_gsd_m(past))
    return [
        MemberRun(
            ground,
            answers,
            lift,
            seed,
            int(past.years[-1]),
            MemberPaths(scratch, member),
        )
        for member in range(members)
    ]


def _year(ground: Ground, members: list[MemberPaths], year: int) -> ForecastYear:
    states = np.stack([member.open_state(ground, year)[...] for member in members])
    cells = cell_means(states)
    shape = cells.shape[-2:]
    at = (..., slice(shape[0]), slice(shape[1]))
    seen: NDArray[np.float32] = np.stack([np.load(member.seen(year))[at] for member in members])
    stacked = np.stack([m.open_changes(ground, year).probability()[at] for m in members])
    probability = np.asarray(stacked.mean(axis=0), dtype=np.float32)
    return ForecastYear(states, probability, np.clip(cells + 255 * seen, 0, 255))
