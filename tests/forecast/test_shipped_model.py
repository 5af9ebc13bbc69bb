"""The weights that ship: what any trained forecaster must do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from forecast.baselines import DressedPersistence
from forecast.evaluation.methods.tile import TileEnsemble, forecast_tile
from forecast.hindcast.observations import ObservationModels
from forecast.network.unet import ChangeUNet
from forecast.pretrained import load_model, model_folder
from forecast.region.familiarity import Familiarity
from preprocessing.simulator import WorldConfig, simulate_world
from preprocessing.tiles.cells import cell_means


@pytest.fixture(scope="module")
def model() -> ChangeUNet:
    return load_model("base", device=torch.device("cpu"))


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """A world that no model was trained on."""
    world = simulate_world(WorldConfig(height=192, width=192, years=1, seed=90_100))
    return np.rint(255 * world.rasters[0].data).astype(np.uint8)


def forecast(
    model: ChangeUNet, picture: NDArray[np.uint8], years: float, *, seed: int = 1
) -> TileEnsemble:
    return forecast_tile(
        model,
        ObservationModels.load(model_folder()).alone,
        picture,
        np.ones(picture.shape[1:], bool),
        years=years,
        gsd_m=10.0,
        members=4,
        seed=seed,
    )


def test_the_model_folder_is_whole() -> None:
    folder = model_folder()
    assert DressedPersistence.load(folder).tables
    assert Familiarity.load(folder) is not None


def test_unchanged_ground_is_the_present_and_change_is_rare(
    model: ChangeUNet, picture: NDArray[np.uint8]
) -> None:
    found = forecast(model, picture, 1.0)
    present = cell_means(picture) / 255
    moved = np.abs(found.states - present).max(axis=1) > 1e-4
    assert moved.mean() < 0.2
    assert found.probability.min() >= 0
    assert found.probability.mean() < 0.2
    assert found.probability.std() > 0


def test_change_grows_with_the_horizon(model: ChangeUNet, picture: NDArray[np.uint8]) -> None:
    near, far = (forecast(model, picture, years).probability for years in (1.0, 10.0))
    assert far.mean() > near.mean()


def test_members_differ_in_what_is_seen_and_stay_moderate(
    model: ChangeUNet, picture: NDArray[np.uint8]
) -> None:
    found = forecast(model, picture, 3.0)
    assert (found.observations[0] != found.observations[1]).any()
    assert np.abs(found.observations - cell_means(picture) / 255).mean() < 0.15
    again = forecast(model, picture, 3.0)
    np.testing.assert_array_equal(again.observations, found.observations)
