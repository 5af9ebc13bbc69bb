"""Ensembles of tiles, whatever the size of the forecast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from forecast.ensemble import predict_tiles
from forecast.patches import to_low
from forecast.pretrained import load_model
from forecast.unet import ForecastUNet
from preprocessing.precision import autocast


@pytest.mark.parametrize(("output_size", "channels"), [(32, 48), (64, 12), (128, 3)])
def test_members_are_4x4_means_of_the_output(output_size: int, channels: int) -> None:
    torch.manual_seed(0)
    model = ForecastUNet((16, 32), output_size=output_size, attention_levels=0).eval()
    past = torch.rand(2, 3, 128, 128)
    years = torch.tensor([1.0, 4.0])
    members = predict_tiles(model, past, years, members=2, seed=3)
    noise = torch.randn(2, 3, output_size, output_size, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode(), autocast(past.device):
        condition = model.condition(past)
        assert condition.shape == (2, channels, output_size, output_size)
        fine = model(noise, condition, torch.ones(2), years)
    assert fine.shape == (2, 3, output_size, output_size)
    assert members.shape == (2, 2, 3, 32, 32)
    expected = to_low(fine, output_size // 32) * model.config.target_scale
    torch.testing.assert_close(members[0], expected)


def test_members_differ_by_regional_noise_alone() -> None:
    torch.manual_seed(0)
    model = ForecastUNet((16, 32), attention_levels=0, regional_noise=4).eval()
    past = torch.rand(2, 3, 128, 128)
    ones = torch.ones(2)
    noise, condition = torch.zeros(2, 3, 32, 32), model.condition(past)
    weather = torch.randn(2, 2, 4)
    with torch.inference_mode():
        first, second = (model(noise, condition, ones, ones, None, w) for w in weather)
        again = model(noise, condition, ones, ones, None, weather[0])
    assert torch.equal(first, again)
    assert float((first - second).abs().max()) > 1e-3


def test_models_that_do_not_say_their_size_answer_32_px(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for file in tiny_model_folder.iterdir():
        (old / file.name).write_bytes(file.read_bytes())
    config = json.loads((old / "config.json").read_text())
    assert config.pop("output_size") == 32
    (old / "config.json").write_text(json.dumps(config))
    assert load_model(old, device=torch.device("cpu")).factor == 4


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="output_size"):
        ForecastUNet((16, 32), output_size=48)
