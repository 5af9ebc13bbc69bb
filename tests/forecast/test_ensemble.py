"""Tiles straight to their horizon."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pictures import picture
from region_cases import small_network

import forecast.evaluation.methods.tile
from forecast.evaluation.methods.tile import TileEnsemble, forecast_tile
from forecast.hindcast.observations import ObservationModels
from forecast.network.unet import ChangeUNet
from forecast.pretrained import model_folder
from forecast.region.tiled_inference import Noise, RegionNetwork, View
from preprocessing.tiles.cells import cell_means

IMAGE = picture(96, 120)
"""Smaller than a tile: mirrored for the network, cut again for the answer."""


def ensemble(model: ChangeUNet, years: float, members: int = 3, seed: int = 1) -> TileEnsemble:
    valid = np.ones(IMAGE.shape[1:], bool)
    return forecast_tile(
        model,
        ObservationModels.load(model_folder()).alone,
        IMAGE,
        valid,
        years=years,
        gsd_m=10.0,
        members=members,
        seed=seed,
    )


def test_members_depend_on_the_seed_and_their_number_alone() -> None:
    model = small_network()
    found, more = ensemble(model, 2.0), ensemble(model, 2.0, members=4)
    assert found.states.shape == found.observations.shape == (3, 3, 24, 30)
    assert found.probability.shape == (24, 30)
    np.testing.assert_array_equal(more.states[:3], found.states)
    np.testing.assert_array_equal(more.observations[:3], found.observations)
    other = ensemble(model, 2.0, seed=2)
    assert (other.observations != found.observations).any()
    assert (found.observations[0] != found.observations[1]).any()


def test_ground_that_does_not_change_is_the_present() -> None:
    found = ensemble(small_network(change_bias=-40.0), 3.0)
    for state in found.states:
        np.testing.assert_allclose(state, cell_means(IMAGE) / 255, rtol=1e-6)
    assert found.probability.max() < 1e-6
    sure = ensemble(small_network(change_bias=40.0), 3.0)
    assert sure.probability.min() > 1 - 1e-6
    assert (np.abs(sure.states - found.states).max(axis=1) > 0).all()


def test_longer_horizons_than_in_training_are_made_of_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    class Told(RegionNetwork):
        def probability(self, view: View, years: float, noise: Noise) -> np.ndarray:
            asked.append(years)
            return np.full(view.conditions.shape[1:], 0.1 * years, np.float32)

    monkeypatch.setattr(forecast.evaluation.methods.tile, "RegionNetwork", Told)
    with torch.inference_mode():
        found = ensemble(small_network(), 7.5, members=1)
    assert asked == [3.0, 3.0, 1.5]  # The network knows three years.
    np.testing.assert_allclose(found.probability, 1 - 0.7 * 0.7 * 0.85, rtol=1e-5)
