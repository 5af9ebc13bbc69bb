"""The weights that ship: what they are given must move the forecast in the right direction."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from forecast.ensemble import predict_tiles
from forecast.pretrained import load_model
from preprocessing.simulator import WorldConfig, simulate_world


@pytest.fixture(scope="module")
def past() -> Tensor:
    """Four tiles of a world that no model was trained on."""
    world = simulate_world(WorldConfig(height=256, width=256, years=1, seed=90_100))
    image = torch.from_numpy(world.rasters[0].data)
    return torch.stack([image[:, r : r + 128, c : c + 128] for r in (0, 128) for c in (0, 128)])


def forecast(past: Tensor, years: float) -> Tensor:
    model = load_model("base", device=torch.device("cpu"))
    horizon = torch.full((len(past),), years)
    return predict_tiles(model, past, horizon, members=6, seed=1)


def test_spread_and_change_grow_with_the_horizon(past: Tensor) -> None:
    near, far = forecast(past, 1.0), forecast(past, 8.0)
    assert far.std(dim=0).mean() > 1.3 * near.std(dim=0).mean()
    assert far.abs().mean() > 1.3 * near.abs().mean()


def test_the_picture_decides_where_the_forecast_is_uncertain(past: Tensor) -> None:
    spread = forecast(past, 4.0).std(dim=0).mean(dim=1).flatten(1)
    other = forecast(past.roll(1, dims=0), 4.0).std(dim=0).mean(dim=1).flatten(1)
    same_noise_other_picture = torch.corrcoef(torch.stack([spread[0], other[0]]))[0, 1]
    assert same_noise_other_picture < 0.8


def test_members_differ_and_stay_moderate(past: Tensor) -> None:
    members = forecast(past, 1.0)
    assert not torch.equal(members[0], members[1])
    assert members.abs().mean() < 0.06
