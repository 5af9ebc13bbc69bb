"""The weights that ship, ten years long: ground that does not change keeps colour and detail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from forecast.colours import LandColours
from forecast.patches import to_low
from forecast.pretrained import load_model, model_folder
from forecast.region import RegionStepper
from forecast.rollout import rollout
from preprocessing.simulator import WorldConfig, simulate_world
from sr.lift import ESRGANLift
from sr.pretrained import load_network

SIDE, YEARS, CHANGED = 192, 10, 5 / 255


def low(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return to_low(torch.from_numpy(np.array(image))[None])[0].numpy()


def sharp(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return image - gaussian_filter(image, (0, 2, 2))


@pytest.mark.slow
def test_ten_years_leave_ground_that_does_not_change_as_it_is(tmp_path: Path) -> None:
    config = WorldConfig(height=SIDE, width=SIDE, years=1, seed=90_300)
    start = np.asarray(simulate_world(config).rasters[0].data, np.float32)
    cpu = torch.device("cpu")
    stepper = RegionStepper(
        load_model("base", device=cpu),
        ESRGANLift(load_network(device=cpu)),
        height=SIDE,
        width=SIDE,
        gsd_m=config.gsd_m,
        land=LandColours.load(model_folder("base")),
    )
    changed, before = np.zeros(low(start).shape[1:], bool), low(start)
    for year, image in rollout(
        stepper, start, tmp_path, seed=3, member=0, start_year=2000, years=YEARS
    ):
        state = low(np.load(tmp_path / f"state_{year}.npy"))
        changed |= np.abs(state - before).mean(axis=0) > CHANGED
        before, last = state, np.array(image)
    ground = np.kron(~binary_dilation(changed, iterations=2), np.ones((4, 4), bool))
    assert 0.02 < ground.mean() < 0.9  # Some ground stays, much of it does not.
    energy = sharp(last)[:, ground].var() / sharp(start)[:, ground].var()
    assert energy == pytest.approx(1, abs=0.1)
    assert np.abs((last - start)[:, ground].mean(axis=1)).max() < 2 / 255
