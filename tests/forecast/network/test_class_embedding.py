from __future__ import annotations

import pytest
import torch

from forecast.network.class_embedding import ClassEmbedding, class_labels


def told(layer: ClassEmbedding, years: float, gsd_m: float | None) -> torch.Tensor:
    known = None if gsd_m is None else torch.tensor([gsd_m])
    with torch.inference_mode():
        found: torch.Tensor = layer(class_labels(torch.tensor([years]), known, torch.zeros(1, 8)))
    return found


@pytest.fixture
def aware() -> ClassEmbedding:
    torch.manual_seed(0)
    layer = ClassEmbedding(32, 128, regional=8)
    torch.nn.init.normal_(layer.cond_proj.weight, std=0.1)
    return layer


def test_horizon_and_resolution_change_the_answer(aware: ClassEmbedding) -> None:
    here = told(aware, 2.0, 10)
    assert not torch.allclose(here, told(aware, 3.0, 10))
    assert not torch.allclose(here, told(aware, 2.0, 0.6))
    assert not torch.allclose(here, told(aware, 2.0, None))


def test_an_unknown_resolution_is_a_zero_or_a_nan(aware: ClassEmbedding) -> None:
    assert torch.equal(told(aware, 2.0, None), told(aware, 2.0, 0))
    assert torch.equal(told(aware, 2.0, None), told(aware, 2.0, float("nan")))


def test_like_resolutions_are_told_alike(aware: ClassEmbedding) -> None:
    """Octaves count, not metres: 10 and 10.5 are nearer than 10 and 0.6."""
    here = told(aware, 2.0, 10)
    near = (here - told(aware, 2.0, 10.5)).abs().mean()
    assert near < (here - told(aware, 2.0, 0.6)).abs().mean() / 2


def test_at_first_the_resolution_says_nothing() -> None:
    layer = ClassEmbedding(32, 128, regional=8)
    assert torch.equal(told(layer, 2.0, 10), told(layer, 2.0, 0.6))


def test_labels_hold_years_metres_and_noise() -> None:
    noise = torch.tensor([[0.5], [-0.5]])
    labels = class_labels(torch.tensor([1.0, 2.0]), torch.tensor([10.0, float("nan")]), noise)
    assert labels.tolist() == [[1, 10, 0.5], [2, 0, -0.5]]
