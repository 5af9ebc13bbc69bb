"""Scores of restored tiles on cases with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from preprocessing.quality.features import FeatureSpace
from sr.evaluation.correctness import correctness
from sr.evaluation.restorers import NETWORK, PERSISTENCE, lanczos_upsample, restore_all
from sr.evaluation.tile_scores import SCORES, TileScores, score_tiles
from sr.network.rrdb import RRDBNet, bicubic_upsample
from sr.network.texture_features import load_texture_features
from sr.training.degradations import area_downsample

# Softmin at temperature 0.25 of distances (0, 1, 1): at one corner, one unit from the others.
AT_A_CORNER = 1 / (1 + 2 * math.exp(-4))


def _scene(batch: int = 1, side: int = 64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, 5, 5, generator=generator)
    smooth = functional.interpolate(coarse, size=side, mode="bilinear")
    return 0.2 + 0.5 * smooth + 0.2 * torch.rand(batch, 3, side, side, generator=generator)


def _score(estimate: Tensor, truth: Tensor, changed: Tensor | None = None) -> TileScores:
    low = area_downsample(truth, 4)
    if changed is None:
        changed = torch.zeros(len(low), *low.shape[2:], dtype=torch.bool)
    return score_tiles(estimate, truth, low, changed, FeatureSpace.gabor(), load_texture_features())


def test_the_truth_itself_is_perfect() -> None:
    truth = _scene(2)
    found = _score(truth, truth)
    values = {name: value.mean() for name, value in found.values.items() if "_changed" not in name}
    assert values["psnr_db"] == pytest.approx(100)  # Capped at an error of 1e-5.
    for name in ("ssim", "sharpness", "ssim_unchanged"):
        assert values[name] == pytest.approx(1, abs=1e-5)
    for name in ("perceptual", "spectral_distance_db", "fine_texture_db", "psnr_unchanged_db"):
        assert values[name] == pytest.approx(0, abs=1e-9)
    for name in ("consistency", "consistency_worst", "spectral_angle_deg"):
        assert values[name] == pytest.approx(0, abs=1e-5)
    assert values["improvement"] == pytest.approx(AT_A_CORNER, abs=2e-3)


def test_a_constant_error_has_a_known_psnr_and_inconsistency() -> None:
    truth = _scene()
    found = _score(truth + 0.01, truth)
    assert found.values["psnr_db"][0] == pytest.approx(40, abs=1e-3)
    assert found.values["consistency"][0] == pytest.approx(0.01, rel=1e-4)
    assert found.values["spectral_distance_db"][0] == pytest.approx(0, abs=1e-4)
    assert found.values["sharpness"][0] == pytest.approx(1, abs=1e-4)


def test_classes_see_their_own_pixels_only() -> None:
    truth = _scene()
    changed = torch.zeros(1, 16, 16, dtype=torch.bool)
    changed[:, :, :4] = True
    estimate = truth.clone()
    estimate[..., :16] += 0.1
    found = _score(estimate, truth, changed)
    assert found.values["psnr_changed_db"][0] == pytest.approx(0.01, rel=1e-4)
    assert found.values["psnr_unchanged_db"][0] == 0
    assert found.weights["psnr_changed_db"][0] == 12 * 56  # The edge of 4 px is left out.
    assert found.weights["psnr_unchanged_db"][0] == 44 * 56
    assert found.values["perceptual_changed"][0] > 3 * found.values["perceptual_unchanged"][0]
    assert found.values["ssim_changed"][0] < found.values["ssim_unchanged"][0]


def test_worst_consistency_is_that_of_the_worst_place() -> None:
    truth = _scene()
    estimate = truth.clone()
    estimate[..., 8:12, 8:12] += 0.2
    found = _score(estimate, truth)
    assert found.values["consistency_worst"][0] == pytest.approx(0.2, rel=1e-4)
    assert found.values["consistency"][0] == pytest.approx(0.2 / 256, rel=1e-3)


def test_angle_between_bands_is_in_degrees() -> None:
    truth = torch.zeros(1, 3, 32, 32)
    truth[:, 0] = 0.5
    estimate = truth.clone()
    estimate[:, 1] = 0.5 * math.tan(math.radians(10))
    assert _score(estimate, truth).values["spectral_angle_deg"][0] == pytest.approx(10, abs=1e-3)


def test_a_blurred_picture_is_smoother_and_less_like_the_truth() -> None:
    truth = _scene()
    blurred = _score(bicubic_upsample(area_downsample(truth, 4), 4), truth).values
    assert blurred["fine_texture_db"][0] < -3
    assert blurred["sharpness"][0] < 0.5
    assert blurred["perceptual"][0] > 0.05
    assert SCORES["consistency"].shown(0.1) == "25.50"


def test_correctness_at_its_corners() -> None:
    truth = _scene(side=128)
    low = area_downsample(truth, 4)
    enlarged = functional.interpolate(low, scale_factor=4.0, mode="bilinear")
    perfect, nothing = (correctness(x, truth, low) for x in (truth, enlarged))
    assert float(perfect.improvement.nanmedian()) == pytest.approx(AT_A_CORNER, abs=1e-4)
    assert float(nothing.omission.nanmedian()) == pytest.approx(AT_A_CORNER, abs=1e-4)
    # Detail that is in neither, far above that of the truth.
    checks = (torch.arange(128)[:, None] + torch.arange(128)) % 2
    invented = correctness(checks.expand(1, 3, 128, 128) * 0.98 + 0.01, truth, low)
    assert float(invented.hallucination.nanmedian()) > 0.95
    total = invented.improvement + invented.omission + invented.hallucination
    judged = ~total.isnan()
    assert (total[judged] - 1).abs().max() < 1e-5
    # The truth is its own judge: only the upper quartile of what the input lacks has detail.
    assert float((~perfect.omission.isnan()).float().mean()) == pytest.approx(0.25, abs=0.01)


def test_correctness_of_one_pixel_by_hand() -> None:
    # Twice as far from the input as from the truth, in units of their distance: i = 0.5, o = 1.
    low = torch.full((1, 1, 8, 8), 0.5)
    truth = torch.full((1, 1, 32, 32), 0.5)
    truth[..., 10, 10] = 0.7
    d = 0.2 / 1.2

    def solve(target: float, of: float) -> float:
        """The value above `of` at a normalised difference of `target`."""
        return of * (1 + target) / (1 - target)

    estimate = truth.clone()
    estimate[..., 10, 10] = solve(d / 2, 0.7)
    i, o = 0.5, (float(estimate[0, 0, 10, 10]) - 0.5) / (float(estimate[0, 0, 10, 10]) + 0.5) / d
    bend = 1 - math.exp(-0.05 * (i + o - 1))
    corners = np.array([i + o * bend, o + i * bend, math.exp(-0.05 * i * o)])
    shares = np.exp(-corners / 0.25) / np.exp(-corners / 0.25).sum()
    found = correctness(estimate, truth, low)
    ours = [x[0, 10, 10] for x in (found.improvement, found.omission, found.hallucination)]
    np.testing.assert_allclose(ours, shares, rtol=1e-4)
    assert found.improvement.isnan().sum() == 32 * 32 - 1


def test_every_way_restores_the_same_tile() -> None:
    torch.manual_seed(0)
    network: RRDBNet = RRDBNet(num_blocks=1, num_features=8, growth_channels=4, global_skip=True)
    network.eval()
    past, truth = _scene(2), _scene(2, seed=1)
    low = area_downsample(truth, 4)
    found = restore_all(network, past, low)
    assert {tuple(x.shape) for x in found.values()} == {(2, 3, 64, 64)}
    assert torch.equal(found[PERSISTENCE], past)
    # Without training the network adds nothing to bicubic interpolation.
    torch.testing.assert_close(found[NETWORK], bicubic_upsample(low, 4).clamp(0, 1))


def test_lanczos_keeps_waves_that_bicubic_weakens() -> None:
    x = torch.arange(32) / 32
    wave = (0.5 + 0.3 * torch.cos(2 * math.pi * 10 * x)).expand(1, 1, 32, 32)
    inner = (..., slice(32, 96), slice(32, 96))
    assert lanczos_upsample(wave).shape == (1, 1, 128, 128)
    assert lanczos_upsample(wave)[inner].std() > 1.05 * bicubic_upsample(wave, 4)[inner].std()
    assert lanczos_upsample(torch.full((1, 2, 8, 8), 0.3)).sub(0.3).abs().max() < 1e-6
