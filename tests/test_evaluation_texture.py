"""Scores of how a forecast looks: similarity, spectra, features."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from evaluation_cases import cases, noise, score
from scipy.ndimage import gaussian_filter

from forecast.evaluation.change import changed
from forecast.evaluation.perceptual import FeatureDistance
from forecast.evaluation.similarity import StructuralSimilarity
from forecast.evaluation.spectra import SpectralDistance
from preprocessing.errors import MissingFileError, ModelFolderError
from preprocessing.quality.features import gabor_features, load_vgg16
from preprocessing.quality.spectra import radial_log_power


def ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Equation 13 of Wang et al. 2004, with a window of 7 px."""

    def mean(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, 1.5, radius=3, mode="mirror")

    va, vb = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2
    shared = mean(a * b) - mean(a) * mean(b)
    light = (2 * mean(a) * mean(b) + 0.01**2) / (mean(a) ** 2 + mean(b) ** 2 + 0.01**2)
    return light * (2 * shared + 0.03**2) / (va + vb + 0.03**2)


def test_ssim_equals_its_formula() -> None:
    truth, members = noise(2, 3, 32, 32, seed=1), noise(2, 2, 3, 32, 32, seed=2)
    members = truth + 0.5 * members
    weight = torch.ones(2, 1, 32, 32)
    weight[0, :, :10] = 0
    scores = score(StructuralSimilarity(), members, cases(truth, weight))
    found = scores["ssim"]
    moved = (changed(truth)[:, None] * weight).mean() / weight.mean()
    assert 0.1 < moved < 0.9
    parts = moved * scores["ssim_changed"] + (1 - moved) * scores["ssim_unchanged"]
    assert found == pytest.approx(float(parts), rel=1e-4)
    total, count = 0.0, 0
    for m, i, c in itertools.product(range(2), range(2), range(3)):
        seen = weight[i, 0].numpy()
        a, b = (
            (0.5 + x.double().numpy() * seen).clip(0, 1) for x in (members[m, i, c], truth[i, c])
        )
        total += float((ssim_map(a, b) * seen).sum())
        count += int(seen.sum())
    assert found == pytest.approx(total / count, rel=1e-3)  # Float32 variances of 0.01.
    assert 0.3 < found < 0.95


def test_power_of_white_noise_is_its_variance() -> None:
    power = radial_log_power(noise(400, 3, 32, 32, scale=0.2))
    linear = (10 ** (power / 10)).mean(dim=0)
    np.testing.assert_allclose(linear[2:], 0.04, rtol=0.05)


def test_a_wave_shows_in_its_ring() -> None:
    x = torch.arange(32) / 32
    wave = 0.3 * torch.cos(2 * math.pi * 6 * x).expand(3, 32, 32)
    assert int(radial_log_power(wave).argmax()) == 6 - 1


def test_blurred_members_lack_fine_texture() -> None:
    truth = noise(4, 3, 32, 32, seed=3)
    blurred = torch.nn.functional.avg_pool2d(truth, 3, 1, 1)
    found = score(SpectralDistance(), blurred[None], cases(truth))
    assert found["spectral_bias_db"] < -3
    assert found["spectral_distance_db"] > 3
    quiet = truth / 3  # Twice as much is still within 0..1.
    louder = score(SpectralDistance(), 2 * quiet[None], cases(quiet))
    assert louder["spectral_distance_db"] == pytest.approx(20 * math.log10(2), abs=0.01)


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
    truth = noise(4, 3, 32, 32, seed=3)
    near = truth + noise(4, 3, 32, 32, seed=4, scale=0.02)
    blurred = torch.nn.functional.avg_pool2d(truth, 3, 1, 1)
    distance = FeatureDistance.gabor()
    scores = [score(distance, x[None], cases(truth))["gabor_distance"] for x in (near, blurred)]
    assert scores[0] < 0.3 * scores[1]


def test_feature_distance_is_of_unit_vectors() -> None:
    truth = noise(4, 3, 32, 32, seed=3)
    fainter = score(FeatureDistance.gabor(), 0.6 * truth[None], cases(truth))["gabor_distance"]
    other = noise(1, 4, 3, 32, 32, seed=4)
    assert fainter < 0.01
    # Unrelated unit vectors are the root of 2 apart.
    assert score(FeatureDistance.gabor(), other, cases(truth))["gabor_distance"] == pytest.approx(
        2, abs=0.3
    )


def test_vgg16_takes_weights_from_a_file(tmp_path) -> None:
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
    truth = noise(2, 3, 32, 32)
    distance = FeatureDistance.vgg16(tmp_path / "vgg16.pth")
    assert score(distance, truth[None], cases(truth)) == pytest.approx({"vgg16_distance": 0})
    assert score(distance, -truth[None], cases(truth))["vgg16_distance"] > 0.01

    del stored["features.28.bias"]
    torch.save(stored, tmp_path / "part.pth")
    with pytest.raises(ModelFolderError, match="torchvision"):
        load_vgg16(tmp_path / "part.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ModelFolderError, match=r"text\.pth"):
        load_vgg16(tmp_path / "text.pth")
    with pytest.raises(MissingFileError, match="none"):
        load_vgg16(tmp_path / "none.pth")
