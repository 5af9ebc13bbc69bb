from __future__ import annotations

import pytest
import torch

from forecast.circumstances import circumstances
from forecast.training.config import TrainingConfig
from forecast.unet import ForecastUNet


def told(model: ForecastUNet, years: float, gsd_m: float | None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    field = torch.randn((1, 3, 32, 32), generator=generator)
    picture = torch.randn((1, 48, 32, 32), generator=generator)
    known = None if gsd_m is None else torch.tensor([gsd_m])
    with torch.inference_mode():
        answer: torch.Tensor = model(field, picture, torch.ones(1), torch.tensor([years]), known)
    return answer


@pytest.fixture
def aware() -> ForecastUNet:
    torch.manual_seed(0)
    model: ForecastUNet = ForecastUNet(
        block_out_channels=(16, 32), layers_per_block=1, resolution_condition=True
    )
    torch.nn.init.normal_(model.unet.class_embedding.cond_proj.weight, std=0.1)
    return model.eval()


def test_horizon_and_resolution_change_the_answer(aware: ForecastUNet) -> None:
    here = told(aware, 2, 10)
    assert not torch.allclose(here, told(aware, 3, 10))
    assert not torch.allclose(here, told(aware, 2, 0.6))
    assert not torch.allclose(here, told(aware, 2, None))


def test_an_unknown_resolution_is_a_zero_or_a_nan(aware: ForecastUNet) -> None:
    assert torch.equal(told(aware, 2, None), told(aware, 2, 0))
    assert torch.equal(told(aware, 2, None), told(aware, 2, float("nan")))


def test_like_resolutions_are_told_alike(aware: ForecastUNet) -> None:
    """Octaves count, not metres: 10 and 10.5 are nearer than 10 and 0.6."""
    here = told(aware, 2, 10)
    near = (here - told(aware, 2, 10.5)).abs().mean()
    assert near < (here - told(aware, 2, 0.6)).abs().mean() / 2


def test_at_first_the_resolution_says_nothing() -> None:
    config = TrainingConfig(
        block_out_channels=(16, 32), attention_levels=0, resolution_condition=True
    )
    model = config.build(target_scale=0.1, horizon_years=(1, 4), gsd_m=(0.6, 10)).eval()
    assert torch.equal(told(model, 2, 10), told(model, 2, 0.6))


def test_labels_hold_years_and_metres() -> None:
    labels = circumstances(torch.tensor([1.0, 2.0]), torch.tensor([10.0, float("nan")]))
    assert labels.tolist() == [[1, 10], [2, 0]]
