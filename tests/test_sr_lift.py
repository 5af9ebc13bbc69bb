"""The lift of forecasts: exact block means, carried detail, no decay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from preprocessing.errors import LandcastError
from sr.block_means import upsample_consistently
from sr.degradations import area_downsample
from sr.inference import upscale_batch
from sr.lift import ChangeWeight, ESRGANLift
from sr.rrdb import RRDBNet


class _CountingNetwork(RRDBNet):
    """Counts the images it upscales."""

    seen = 0

    def forward(self, image: Tensor) -> Tensor:
        self.seen += len(image)
        return super().forward(image)


def _network() -> _CountingNetwork:
    torch.manual_seed(0)
    network = _CountingNetwork(num_blocks=1, num_features=8, growth_channels=4, global_skip=True)
    with torch.no_grad():
        network.conv_last.weight.add_(0.02 * torch.randn_like(network.conv_last.weight))
    return network


def _scene(batch: int = 1, low_px: int = 32, seed: int = 0) -> Tensor:
    """Textured images with values in 0.1..0.9."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, 5, 5, generator=generator)
    smooth = functional.interpolate(coarse, size=4 * low_px, mode="bilinear")
    texture = torch.rand(batch, 3, 4 * low_px, 4 * low_px, generator=generator) - 0.5
    return 0.2 + 0.6 * smooth + 0.2 * texture


def _fine_energy(image: Tensor) -> float:
    """Power above a quarter of the sampling frequency, the part a 4x4 mean cannot hold."""
    power = torch.fft.fft2(image.double()).abs().square()
    rows = torch.fft.fftfreq(image.shape[-2])[:, None].abs()
    cols = torch.fft.fftfreq(image.shape[-1])[None, :].abs()
    return float(power[..., torch.maximum(rows, cols) > 0.25].sum())


@pytest.mark.parametrize("factor", [4, 2, 1])
def test_no_change_returns_the_observed_image_ten_times_over(factor: int) -> None:
    network = _network()
    lift = ESRGANLift(network)
    observed = image = _scene(2)
    for _ in range(10):
        present = area_downsample(image, factor)
        image = lift(image, present, present)
    assert torch.equal(image, observed)
    assert network.seen == 0


@pytest.mark.parametrize("factor", [4, 2, 1])
def test_block_means_are_the_forecast(factor: int) -> None:
    observed = _scene(2)
    present = area_downsample(observed, factor)
    future = torch.rand(present.shape, generator=torch.Generator().manual_seed(3))
    lifted = ESRGANLift(_network())(observed, present, future)
    assert lifted.shape == observed.shape
    # Sixteen float32 values near 1 are added and divided: a few units in the last place.
    assert (area_downsample(lifted, factor) - future).abs().max() < 2e-6
    assert lifted.min() >= 0
    assert lifted.max() <= 1


def test_detail_of_a_finer_forecast_is_generated_from_its_4x4_means() -> None:
    network = _network()
    observed = 0.6 * _scene()  # nothing leaves 0..1
    present = area_downsample(observed, 2)
    future = present.clone()
    future[..., 24:40, 24:40] += 0.3
    lifted = ESRGANLift(network)(observed, present, future)
    centre = (slice(None), slice(56, 72), slice(56, 72))
    expected = upscale_batch(network, area_downsample(future, 2))
    expected = expected + upsample_consistently(future - area_downsample(expected, 2), 2)
    assert (lifted[0][centre] - expected[0][centre]).abs().max() < 5e-3
    assert (lifted[0] - observed[0])[:, :16].abs().max() < 1e-4


def test_tiny_random_changes_neither_smooth_nor_drift() -> None:
    lift = ESRGANLift(_network())
    observed = image = _scene()
    generator = torch.Generator().manual_seed(5)
    for _ in range(10):
        present = area_downsample(image, 4)
        step = 0.002 * torch.randn(present.shape, generator=generator)
        image = lift(image, present, present + step - step.mean())
    assert _fine_energy(image) > 0.995 * _fine_energy(observed)
    assert _fine_energy(image) < 1.05 * _fine_energy(observed)
    assert abs(float((image - observed).mean())) < 1e-5


def test_new_detail_only_where_the_ground_changes() -> None:
    network = _network()
    lift = ESRGANLift(network)
    observed = _scene(2)
    present = area_downsample(observed, 4)
    future = present.clone()
    future[1, :, 12:20, 12:20] += 0.3
    lifted = lift(observed, present, future)
    assert network.seen == 1  # the unchanged tile is skipped
    assert torch.equal(lifted[0], observed[0])
    far = lifted[1, :, :16, :] - observed[1, :, :16, :]
    assert far.abs().max() < 1e-4  # only the tail of the smooth upsampling reaches eight pixels
    centre = (slice(None), slice(56, 72), slice(56, 72))
    expected = upscale_batch(network, future[1:])[0]
    expected = expected + upsample_consistently(future[1:] - area_downsample(expected[None], 4))[0]
    assert (lifted[1][centre] - expected[centre]).abs().max() < 5e-3


def test_result_does_not_depend_on_the_batch() -> None:
    lift = ESRGANLift(_network())
    observed = _scene(3)
    present = area_downsample(observed, 4)
    future = torch.rand(present.shape, generator=torch.Generator().manual_seed(4))
    together = lift(observed, present, future)
    for index in range(3):
        one = slice(index, index + 1)
        assert torch.equal(lift(observed[one], present[one], future[one]), together[one])


def test_smooth_changes_leave_no_block_pattern() -> None:
    observed = torch.full((1, 3, 128, 128), 0.5)
    present = area_downsample(observed, 4)
    ramp = 0.04 * torch.sin(torch.linspace(0, 6.28, 32))[None, None, :, None]
    lift = ESRGANLift(_network(), weight=ChangeWeight(0.05, 0.15, structure_power=0))
    lifted = lift(observed, present, present + ramp)
    steps = lifted[0, 0, 8:-8, 64].diff().abs()
    across = steps[3::4].mean()  # between blocks
    within = torch.stack([steps[0::4].mean(), steps[1::4].mean(), steps[2::4].mean()]).mean()
    assert float(across / within) == pytest.approx(1, abs=0.1)  # a repeat would give infinity


def test_weight_is_smooth_and_local() -> None:
    present = area_downsample(_scene(), 4)
    assert ChangeWeight()(present, present).max() == 0
    future = present.clone()
    future[:, :, 14:18, 14:18] += 0.5
    weight = ChangeWeight()(present, future)
    assert weight.shape == (1, 1, 128, 128)
    assert weight[..., 56:72, 56:72].min() > 0.99
    assert weight[..., :28, :].max() == 0
    assert weight.diff(dim=-1).abs().max() < 0.16


def test_weight_ignores_noise_below_its_threshold() -> None:
    present = area_downsample(_scene(), 4)
    noise = torch.randn(present.shape, generator=torch.Generator().manual_seed(0))
    assert ChangeWeight()(present, present + 0.002 * noise).max() == 0
    flat = torch.full_like(present, 0.5)  # Nothing to tell a pattern by.
    assert ChangeWeight()(flat, flat + 0.001 * noise).max() == 0


def test_another_pattern_calls_for_new_detail_a_brighter_one_does_not() -> None:
    present = 0.5 + 0.05 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    weight = ChangeWeight()
    assert weight(present, present + 0.019).max() == 0
    shifted = torch.roll(present, 1, dims=-1)
    assert weight(present, shifted).min() > 0.9
    by_value_only = ChangeWeight(none_below=0.3, full_above=0.6, structure_power=0)
    assert by_value_only(present, shifted).max() == 0


def test_network_output_that_is_known_is_not_asked_for_again() -> None:
    network = _network()
    lift = ESRGANLift(network)
    observed = _scene(2)
    present = area_downsample(observed, 4)
    future = present.clone()
    future[1, :, 12:20, 12:20] += 0.3
    expected = lift(observed, present, future)
    asked = network.seen
    known = upscale_batch(network, future)
    network.seen = 0
    assert torch.equal(lift(observed, present, future, generated=known), expected)
    assert (asked, network.seen) == (1, 0)


def test_network_that_fails_is_reported() -> None:
    network = _network()
    with torch.no_grad():
        network.conv_last.bias.fill_(float("nan"))
    with pytest.raises(LandcastError, match="finite"):
        upscale_batch(network, torch.rand(1, 3, 8, 8))


def test_shapes_are_checked() -> None:
    lift = ESRGANLift(_network())
    low = torch.rand(1, 3, 32, 32)
    for shape in ((1, 3, 96, 96), (1, 3, 128, 64), (2, 3, 128, 128)):
        with pytest.raises(ValueError, match="observed"):
            lift(torch.rand(shape), low, low)
