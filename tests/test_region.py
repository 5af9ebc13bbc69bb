from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from forecast.colours import Colours, LandColours
from forecast.fluctuation import lasting
from forecast.objects import Segments, segment
from forecast.patches import from_patches, padded_shape, to_low, to_patches
from forecast.process import Process
from forecast.region import RegionStepper, StepKey
from forecast.rollout import rollout
from forecast.unet import ForecastUNet


class BlockLift:
    """Adds the low-resolution change to each pixel of its block."""

    halo = 2

    def __call__(self, observed: Tensor, present: Tensor, future: Tensor) -> Tensor:
        factor = observed.shape[-1] // future.shape[-1]
        change = (future - present).repeat_interleave(factor, -1).repeat_interleave(factor, -2)
        return observed + change


class FakeModel(nn.Module):
    """A pointwise function of noise, picture and horizon, so that tiling cannot show."""

    def __init__(
        self,
        *,
        gain: float = 0.0,
        noise: float = 0.0,
        objective: str = "crps",
        scales: tuple[float, ...] = (),
        factor: int = 4,
        parts: float = 0.0,
    ) -> None:
        super().__init__()
        self.scales = scales
        self.anchor = nn.Parameter(torch.zeros(()))
        self.gain, self.noise, self.parts = gain, noise, parts
        self.output_channels = 9 if parts else 3
        self.process = Process(objective)
        self.factor = factor
        self.config = SimpleNamespace(
            sampling_steps=1, sampler="default", target_scale=0.5, history=0, regional_noise=1
        )
        self.weather = 0.0

    def segments(self, low: Tensor) -> Segments:
        return segment(low, self.scales, part_scale=2.0 if self.parts else 0.0)

    def condition(self, past: Tensor, history: object) -> Tensor:
        return to_patches(past, factor=self.factor)

    def guided(
        self,
        noisy: Tensor,
        condition: Tensor,
        time: Tensor,
        years: Tensor,
        gsd_m: Tensor,
        regional: Tensor,
    ) -> Tensor:
        low = to_low(from_patches(condition, factor=self.factor), self.factor)
        gain = self.gain * years.view(-1, 1, 1, 1) + self.weather * regional.view(-1, 1, 1, 1)
        change = (gain * low + self.noise * noisy).float()
        return torch.cat([change, self.parts * noisy, 0 * noisy], dim=1)[:, : self.output_channels]


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.2, 0.6, (3, height, width)).astype(np.float32)


def run_step(model: nn.Module, state: np.ndarray, **options: object) -> np.ndarray:
    stepper = RegionStepper(
        model, BlockLift(), height=state.shape[1], width=state.shape[2], **options
    )
    result = np.full_like(state, np.nan)
    stepper.step(state, result, StepKey(seed=1, member=0, year=2030))
    return result


@pytest.mark.parametrize(("height", "width"), [(128, 128), (132, 260), (300, 140), (516, 388)])
def test_no_change_returns_the_region_exactly(height: int, width: int) -> None:
    state = image(height, width)
    np.testing.assert_array_equal(run_step(FakeModel(), state), state)


@pytest.mark.parametrize("factor", [4, 2, 1])
def test_tiles_and_blocks_do_not_show(factor: int) -> None:
    state = image(420, 308)
    low = 0.5 * 0.3 * to_low(torch.from_numpy(state)[None], factor)[0]
    low = low - torch.from_numpy(np.median(low.numpy(), axis=(1, 2), keepdims=True))
    change = low.repeat_interleave(factor, -1).repeat_interleave(factor, -2).numpy()
    model = FakeModel(gain=0.3, factor=factor)
    np.testing.assert_allclose(run_step(model, state), state + change, atol=1e-6)


@pytest.mark.parametrize("objective", ["crps", "flow"])
def test_result_does_not_depend_on_batch_size_or_stride(objective: str) -> None:
    state = image(260, 196)
    model = FakeModel(gain=0.1, noise=0.02, objective=objective)
    model.config.sampling_steps = 1 if objective == "crps" else 4
    reference = run_step(model, state, batch_size=16, stride=16)
    np.testing.assert_allclose(
        run_step(model, state, batch_size=3, stride=16), reference, atol=1e-6
    )
    np.testing.assert_allclose(
        run_step(model, state, batch_size=5, stride=24), reference, atol=1e-5
    )


def test_noise_on_the_way_belongs_to_the_ground() -> None:
    """A larger region has the noise of a smaller one, in every pass."""
    model = FakeModel(noise=1.0)
    model.process = Process("noise", "linear")
    model.config.sampling_steps, model.config.sampler = 4, "ddpm"
    model.config.target_scale = 0.02
    results = [
        run_step(model, np.full((3, *side), 0.5, np.float32)) for side in ((320, 260), (128, 192))
    ]
    large, small = (to_low(torch.from_numpy(r)[None])[0] for r in results)
    # The median that is taken off differs by a constant of each band.
    apart = large[:, :32, :48] - small
    assert float(small.std(dim=(1, 2)).min()) > 0.005
    assert float(apart.std(dim=(1, 2)).max()) < 1e-5


@pytest.mark.parametrize(
    ("output_size", "widths", "side"),
    [(32, (16, 32), 512), (64, (16, 16, 32), 384), (128, (16, 16, 16, 32), 256)],
)
def test_a_real_network_leaves_no_seams(
    output_size: int, widths: tuple[int, ...], side: int
) -> None:
    # Differences across tile borders must look like differences elsewhere.
    torch.manual_seed(0)
    model = ForecastUNet(widths, output_size=output_size).eval()
    factor, half = model.factor, output_size // 2
    state = np.full((3, side, side), 0.5, np.float32)
    low = to_low(torch.from_numpy(run_step(model, state) - state)[None], factor)[0].numpy()
    borders = np.arange(half - 1, low.shape[1] - 1, half)
    inside = np.setdiff1d(np.arange(half, low.shape[1] - half - 1), borders)
    seams = []
    for axis in (1, 2):
        steps = np.abs(np.diff(low, axis=axis)).mean(axis=(0, 3 - axis))
        seams.append(steps[borders].mean() / steps[inside].mean())
    # Standard error 0.02 each.
    assert np.mean(seams) == pytest.approx(1.0, abs=0.1)


def test_colours_do_not_drift(tiny_model: ForecastUNet) -> None:
    state = image(256, 256)
    for _ in range(5):
        result = run_step(tiny_model, state)
        change = to_low(torch.from_numpy(result - state)[None])[0].numpy()
        np.testing.assert_allclose(np.median(change, axis=(1, 2)), 0, atol=1e-3)
        assert np.abs(result - state).mean() > 1e-3
        state = result


def test_ground_that_stays_keeps_its_colour_when_the_rest_brightens() -> None:
    state = image(256, 256)
    state[:, :144] = 0.0
    result = run_step(FakeModel(gain=0.5), state)
    np.testing.assert_array_equal(result[:, :144], state[:, :144])
    assert (result - state)[:, 144:].mean() > 0.05


def test_values_stay_in_range() -> None:
    state = image(128, 128)
    lifted = run_step(FakeModel(gain=-50.0), state)
    assert to_low(torch.from_numpy(lifted)[None]).min() >= -1e-6


def test_padded_shape() -> None:
    assert padded_shape(1, 300) == (128, 300)
    assert padded_shape(129, 130) == (132, 132)


def roll(folder: Path, start: np.ndarray, years: int, *, model: nn.Module) -> dict[int, np.ndarray]:
    stepper = RegionStepper(model, BlockLift(), height=128, width=128)
    steps = rollout(stepper, start, folder, seed=3, member=1, start_year=2020, years=years)
    return {year: np.array(state) for year, state in steps}


def test_rollout_feeds_back_and_resumes(tmp_path: Path) -> None:
    start, model = image(128, 128), FakeModel(gain=0.1, noise=0.02)
    whole = roll(tmp_path / "whole", start, 3, model=model)
    assert list(whole) == [2021, 2022, 2023]
    first = roll(tmp_path / "parts", start, 1, model=model)
    rest = roll(tmp_path / "parts", start, 3, model=model)
    assert list(rest) == [2021, 2022, 2023]
    np.testing.assert_array_equal(first[2021], whole[2021])
    np.testing.assert_array_equal(rest[2023], whole[2023])
    assert not np.array_equal(whole[2022] - whole[2021], whole[2021] - start)
    left = sorted(path.name for path in (tmp_path / "parts").iterdir())
    assert left == ["image_2023.npy", "state_2023.npy"]


def test_fluctuations_of_single_years_do_not_add_up(tmp_path: Path) -> None:
    start = image(128, 128)
    images = roll(tmp_path, start, 8, model=FakeModel(noise=0.004))
    spread = [float(to_low(torch.from_numpy(x - start)[None]).std()) for x in images.values()]
    assert 0.001 < spread[0] < 0.003
    # Independent steps would grow by the root of eight.
    assert max(spread) < 1.2 * spread[0]


def test_changes_last() -> None:
    large = np.full((3, 4, 4), 8 / 255, np.float32)
    np.testing.assert_allclose(lasting(large), large)
    assert np.abs(lasting(large / 8)).max() < 0.1 / 255


def test_objects_are_those_of_the_region_whatever_the_tiles() -> None:
    model = FakeModel(noise=0.1, scales=(60.0,))
    state = image(256, 256)
    state[:, 100:180, 60:220] = 0.9
    results = [run_step(model, state, stride=stride) for stride in (16, 32)]
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)
    change = to_low(torch.from_numpy(results[0] - state)[None])[0, 2]
    inside = change[26:44, 16:54]
    # One object over nine tiles: one value, up to rounding.
    assert float(inside.std()) < 1e-5 < float(change.std())


def test_the_change_of_parts_is_not_carried_along() -> None:
    state = image(128, 128)
    state[:, 40:80, 20:100] = 0.9
    model = FakeModel(scales=(60.0,), parts=0.05)
    stepper = RegionStepper(model, BlockLift(), height=128, width=128)
    result, carried = np.empty_like(state), np.empty_like(state)
    stepper.step(state, result, StepKey(seed=1, member=0, year=2030), carried=carried)
    moved = np.abs(result - state).mean()
    assert moved > 4 / 255  # A change of whole objects of this size would last.
    np.testing.assert_array_equal(carried, state)


def test_a_region_shares_its_weather() -> None:
    state = image(260, 196)
    model = FakeModel()
    model.weather = 0.05
    changes = []
    for member, year in ((0, 2030), (0, 2031), (1, 2030)):
        stepper = RegionStepper(model, BlockLift(), height=260, width=196, batch_size=3)
        result = np.empty_like(state)
        stepper.step(state, result, StepKey(seed=1, member=member, year=year))
        changes.append(result - state)
    low = to_low(torch.from_numpy(state)[None])[0, 0].flatten()
    gains = []
    for change in changes:
        moved = to_low(torch.from_numpy(change)[None])[0, 0].flatten()
        gain = float(torch.cov(torch.stack([low, moved]))[0, 1] / low.var())
        # One gain for all tiles: the change is that of the brightness, but for the median.
        assert float((moved - gain * low).std()) < 1e-5
        gains.append(gain)
    assert len({round(gain, 4) for gain in gains}) == 3


def test_changed_ground_has_colours_of_the_start_or_of_land() -> None:
    state = np.full((3, 128, 128), 0.3, np.float32)
    state[:, :40] = np.float32([0.5, 0.45, 0.3])[:, None, None]
    model = FakeModel(gain=0.8)  # A third of the ground would turn brighter.
    free = run_step(model, state)
    land = LandColours((10.0,), (Colours.of(torch.full((3, 1, 1), 0.3)),))
    stepper = RegionStepper(model, BlockLift(), height=128, width=128, gsd_m=10.0, land=land)
    kept = np.empty_like(state)
    stepper.step(state, kept, StepKey(seed=1, member=0, year=2030), colours=stepper.colours(state))
    # One of the two colours of the start, up to the width of a cell and its neighbours.
    colours = np.stack([state[:, 0, 0], state[:, -1, -1]])

    def away(image: np.ndarray) -> float:
        return float(
            np.abs(image.reshape(3, -1).T[:, None] - colours).max(axis=2).min(axis=1).max()
        )

    assert away(kept) < 2 * 4 / 255 + 1e-6 < 0.04 < away(free)
    unbound = RegionStepper(model, BlockLift(), height=128, width=128)
    assert unbound.colours(state) is None
