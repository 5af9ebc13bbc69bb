"""Measures of how pictures look: spectra, features."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from series_cases import made_case
from torch import Tensor

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.scores.perceptual import FeatureDistance
from preprocessing.errors import MissingFileError, ModelFolderError
from preprocessing.quality.features import gabor_features, load_vgg16
from sr.evaluation.tile_scores import radial_log_power


def noise(*shape: int, seed: int = 0, scale: float = 0.1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def distanced(distance: FeatureDistance, member: np.ndarray, case: SeriesCase) -> float:
    sums = distance.sums(PlaceForecast(members=member[None]), case)
    return float(distance.scores(sums)[distance.name])


def test_power_of_white_noise_is_its_variance() -> None:
    power = radial_log_power(noise(400, 3, 32, 32, scale=0.2))
    linear = (10 ** (power / 10)).mean(dim=0)
    np.testing.assert_allclose(linear[2:], 0.04, rtol=0.05)


def test_a_wave_shows_in_its_ring() -> None:
    x = torch.arange(32) / 32
    wave = 0.3 * torch.cos(2 * math.pi * 6 * x).expand(3, 32, 32)
    assert int(radial_log_power(wave).argmax()) == 6 - 1


def test_gabor_features_see_direction_and_scale() -> None:
    x = torch.arange(32) * math.pi / 2  # Waves of 4 px.
    wave = (0.5 + 0.3 * torch.cos(x)).expand(1, 3, 32, 32)
    levels = gabor_features(wave)
    assert [tuple(level.shape) for level in levels] == [
        (1, 24, 32, 32),
        (1, 24, 16, 16),
        (1, 24, 8, 8),
    ]
    energy = levels[0].square().mean(dim=(0, 2, 3))[:8].view(4, 2).sum(dim=1)
    assert int(energy.argmax()) == 0
    turned = gabor_features(wave.transpose(2, 3))[0].square().mean(dim=(0, 2, 3))[:8]
    assert int(turned.view(4, 2).sum(dim=1).argmax()) == 2
    grey = levels[0][:, 8:]
    assert float(grey.abs().max()) < 1e-6
    flat = gabor_features(torch.full((1, 3, 32, 32), 0.7))
    assert max(float(level.abs().max()) for level in flat) < 1e-5


def test_the_stand_in_prefers_texture_to_blur() -> None:
    case = made_case(size=32)
    near = case.truth + np.random.default_rng(0).normal(0, 5, case.truth.shape)
    smooth = torch.nn.functional.avg_pool2d(torch.from_numpy(case.truth)[None], 3, 1, 1)[0].numpy()
    distance = FeatureDistance.of(None)
    assert distanced(distance, near, case) < 0.3 * distanced(distance, smooth, case)


def test_feature_distance_is_of_unit_vectors() -> None:
    case = made_case(size=32)
    mean = case.truth.mean(axis=(1, 2), keepdims=True)
    distance = FeatureDistance.of(None)
    assert distanced(distance, mean + 0.6 * (case.truth - mean), case) < 0.02
    # Unrelated unit vectors are the root of 2 apart.
    assert distanced(distance, case.present, case) == pytest.approx(2, abs=0.3)


def test_what_is_not_seen_has_no_distance() -> None:
    case = made_case(size=32)
    seen = np.zeros((32, 32), bool)
    seen[:8] = True
    half = made_case(size=32, seen=seen)
    member = case.truth.copy()
    member[:, 8:] = 0
    assert distanced(FeatureDistance.of(None), member, half) == pytest.approx(0, abs=1e-6)


def test_vgg16_takes_weights_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    channels, number, stored = 3, 0, {}
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512):
        if width:
            weight = torch.randn(width, channels, 3, 3) * (2 / channels / 9) ** 0.5
            stored[f"features.{number}.weight"] = weight
            stored[f"features.{number}.bias"] = torch.zeros(width)
            channels, number = width, number + 2
        else:
            number += 1
    stored["classifier.0.weight"] = torch.zeros(2, 2)
    torch.save(stored, tmp_path / "vgg16.pth")
    image = torch.rand(1, 3, 32, 32)
    levels = load_vgg16(tmp_path / "vgg16.pth")(image)
    assert [level.shape[1:] for level in levels] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (image - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    for layer in (0, 2):
        x = torch.conv2d(x, stored[f"features.{layer}.weight"], padding=1).relu()
    torch.testing.assert_close(levels[0], x)
    case = made_case()
    distance = FeatureDistance.of(tmp_path / "vgg16.pth")
    assert distanced(distance, case.truth, case) == pytest.approx(0)
    assert distance.name == "vgg16_distance"
    assert distanced(distance, case.present, case) > 0.01

    del stored["features.28.bias"]
    torch.save(stored, tmp_path / "part.pth")
    with pytest.raises(ModelFolderError, match="torchvision"):
        load_vgg16(tmp_path / "part.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ModelFolderError, match=r"text\.pth"):
        load_vgg16(tmp_path / "text.pth")
    with pytest.raises(MissingFileError, match="none"):
        load_vgg16(tmp_path / "none.pth")
