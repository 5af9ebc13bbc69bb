"""The weights that ship: what they are given must move the forecast in the right direction."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from forecast.ensemble import predict_tiles
from forecast.patches import to_low
from forecast.pretrained import load_model
from forecast.training.losses import fair_crps
from preprocessing.simulator import WorldConfig, simulate_world


@pytest.fixture(scope="module")
def past() -> Tensor:
    """Four tiles of a world that no model was trained on."""
    world = simulate_world(WorldConfig(height=256, width=256, years=1, seed=90_100))
    image = torch.from_numpy(world.rasters[0].data)
    return torch.stack([image[:, r : r + 128, c : c + 128] for r in (0, 128) for c in (0, 128)])


def forecast(past: Tensor, years: float, gsd_m: float = 10.0) -> Tensor:
    model = load_model("base", device=torch.device("cpu"))
    horizon = torch.full((len(past),), years)
    known = torch.full((len(past),), gsd_m)
    return predict_tiles(model, past, horizon, known, members=6, seed=1)


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


@pytest.fixture(scope="module")
def four_years() -> tuple[Tensor, Tensor]:
    """Nine tiles of another such world, and what becomes of them within four years."""
    world = simulate_world(WorldConfig(height=384, width=384, years=5, seed=90_200))
    first, last = (torch.from_numpy(world.rasters[i].data)[None] for i in (0, -1))
    cut = torch.nn.functional.unfold
    past, future = (
        cut(image, 128, stride=128)[0].T.reshape(-1, 3, 128, 128) for image in (first, last)
    )
    return past, to_low(future) - to_low(past)


def test_without_its_own_picture_a_forecast_is_worse(four_years: tuple[Tensor, Tensor]) -> None:
    """Pictures that were shuffled among the tiles cost skill against what really happened."""
    past, truth = four_years
    own, other = forecast(past, 4.0), forecast(past.roll(1, dims=0), 4.0)
    still = fair_crps(torch.zeros_like(own), truth).mean()
    assert fair_crps(own, truth).mean() < 0.95 * still
    assert fair_crps(own, truth).mean() < 0.95 * fair_crps(other, truth).mean()


def test_the_right_metres_per_pixel_make_a_better_forecast(
    four_years: tuple[Tensor, Tensor],
) -> None:
    """Told that fields of 10 m a pixel were gardens of 0.6 m, it lets too much of them change."""
    past, truth = four_years
    right, wrong = forecast(past, 4.0, gsd_m=10.0), forecast(past, 4.0, gsd_m=0.6)
    assert wrong.std(dim=0).mean() > 1.1 * right.std(dim=0).mean()
    assert fair_crps(wrong, truth).mean() > fair_crps(right, truth).mean()
