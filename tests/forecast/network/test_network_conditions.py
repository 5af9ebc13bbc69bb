from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from forecast.network.conditions import (
    CONDITIONS,
    PAST_CHANNELS,
    Earlier,
    Tone,
    conditions,
    past_change,
    rule_columns,
    smooth,
)
from forecast.network.noise_smoothing import HALO, shaped
from forecast.network.unet import ChangeUNet


def _case(dates: int = 6, seed: int = 0) -> tuple[torch.Tensor, Earlier, Tone]:
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand((2, 3, 32, 32), generator=generator)
    cells = torch.rand((2, dates, 3, 32, 32), generator=generator)
    known = torch.rand((2, dates, 32, 32), generator=generator) > 0.1
    ago = torch.arange(1.0, dates + 1).expand(2, -1)
    return present, Earlier(cells, known, ago), Tone.of(present)


def test_nothing_is_told_without_history_but_texture() -> None:
    present, _, tone = _case()
    told = conditions(present, Earlier.none(present), tone)
    padded = conditions(present, Earlier.none(present, 4), tone)
    assert told.shape == (2, CONDITIONS, 32, 32)
    assert (told[:, :-1] == 0).all()
    assert (told[:, -1] > 0).all()
    assert torch.equal(told, padded)


def test_order_of_dates_does_not_matter() -> None:
    present, earlier, tone = _case()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    turned = Earlier(earlier.cells[:, order], earlier.known[:, order], earlier.ago[:, order])
    assert torch.allclose(
        conditions(present, earlier, tone), conditions(present, turned, tone), atol=1e-5
    )


def test_two_dates_of_one_day_count_alike() -> None:
    present, earlier, tone = _case(2)
    ago = torch.tensor([[3.0, 3.0], [3.0, 3.0]])
    both = Earlier(earlier.cells, torch.ones_like(earlier.known), ago)
    told = conditions(present, both, tone)
    mean = (present - earlier.cells.mean(dim=1)) / tone.contrast.view(-1, 1, 1, 1)
    assert torch.allclose(told[:, :3], mean.clamp(-4, 4), atol=1e-4)


def test_withheld_dates_are_as_if_they_were_not() -> None:
    present, earlier, tone = _case()
    withheld = torch.tensor([[False, True, False, True, True, False]] * 2)
    kept = [0, 2, 5]
    fewer = Earlier(earlier.cells[:, kept], earlier.known[:, kept], earlier.ago[:, kept])
    assert torch.allclose(
        conditions(present, earlier.without(withheld), tone),
        conditions(present, fewer, tone),
        atol=1e-5,
    )


def test_last_change_and_trend_by_hand() -> None:
    present = torch.full((1, 3, 8, 8), 0.5)
    ago = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    cells = torch.stack([present, present, present - 0.3, present - 0.4], dim=1)
    known = torch.ones((1, 4, 8, 8), dtype=torch.bool)
    tone = Tone(torch.full((1, 3), 0.5), torch.tensor([1.0]))
    told = conditions(present, Earlier(cells, known, ago), tone)
    # Three years ago and before it looked otherwise, since then like today.
    assert torch.allclose(told[:, 14], torch.log1p(torch.tensor(3.0)) / 2)
    slope = (3 * 0.3 + 4 * 0.4) / (1 + 4 + 9 + 16)
    assert torch.allclose(told[:, 10], torch.tensor(10 * slope), atol=1e-6)


def test_the_size_of_past_change_counts_by_its_logarithm() -> None:
    present, earlier, tone = _case()
    earlier.known[:, :, :, :9] = False
    told = conditions(present, earlier, tone)
    sizes = past_change(told[:, PAST_CHANNELS])
    expected = torch.log(1 + told[:, 8:10] / 0.05) - 1.5
    torch.testing.assert_close(sizes[..., 9:], expected[..., 9:])
    assert (sizes[..., :9] == 0).all()  # Smoothed change reaches where no date is known.
    columns = rule_columns(told)
    assert torch.equal(columns[:, 8:10], sizes)
    others = [channel for channel in range(CONDITIONS) if channel not in (8, 9)]
    assert torch.equal(columns[:, others], told[:, others])
    alone = conditions(present, Earlier.none(present), tone)
    assert torch.equal(rule_columns(alone), alone)


@pytest.mark.parametrize("sigma", [1.5, 4.0])
def test_smoothing_is_a_normalised_gaussian(sigma: float) -> None:
    field = np.random.default_rng(0).random((24, 30))
    reach = int(3 * sigma + 0.5)
    share = gaussian_filter(np.ones_like(field), sigma, mode="constant", radius=reach)
    wanted = gaussian_filter(field, sigma, mode="constant", radius=reach) / share
    found = smooth(torch.from_numpy(field)[None, None], sigma)[0, 0].numpy()
    assert np.allclose(found, wanted, atol=1e-6)


def test_smoothing_leaves_out_what_has_no_weight() -> None:
    field = torch.full((1, 1, 30, 40), 2.0)
    weight = torch.ones_like(field)
    weight[..., 15:20] = 0
    field[..., 15:20] = 7.0
    found = smooth(field, 1.5, weight)
    torch.testing.assert_close(found, torch.full_like(field, 2.0))
    weight[..., 5:35] = 0
    assert (smooth(field, 1.5, weight)[..., 10:30] < 1e-3).all()
    torch.testing.assert_close(smooth(field, 4.0, torch.ones_like(field)), smooth(field, 4.0))


def test_noise_is_standard_normal_and_belongs_to_the_ground() -> None:
    white = torch.randn((1, 3, 424, 424), generator=torch.Generator().manual_seed(0))
    whole = shaped(white)
    size = 64
    part = shaped(white[..., 100 : 100 + size + 2 * HALO, 40 : 40 + size + 2 * HALO])
    assert torch.allclose(part, whole[..., 100 : 100 + size, 40 : 40 + size], atol=1e-5)
    # 400 ** 2 values of which about one in 200 is independent in the smoothest channel.
    assert torch.allclose(whole.std(dim=(-2, -1)), torch.ones(1, 3), atol=0.12)


def test_untrained_network_knows_that_ground_which_changed_changes_again() -> None:
    model = ChangeUNet(block_out_channels=(32, 32))
    torch.nn.init.zeros_(model.unet.conv_out.weight)
    present = torch.full((1, 3, 32, 32), 0.5)
    before = present.clone()
    before[..., 8:16, 8:16] = 0.1
    known = torch.ones((1, 1, 32, 32), dtype=torch.bool)
    earlier = Earlier(before[:, None], known, torch.tensor([[3.0]]))
    past = present.repeat_interleave(4, -1).repeat_interleave(4, -2)
    tone = Tone(torch.full((1, 3), 0.5), torch.tensor([0.1]))
    condition = model.condition(past, tone, earlier)
    answer = model(torch.randn(1, 3, 32, 32), condition, tone, torch.tensor([3.0]))
    assert answer.change[0, 0, 12, 12] > answer.change[0, 0, 28, 28] + 1


def test_network_sees_51_channels_and_its_conditions() -> None:
    model = ChangeUNet(block_out_channels=(32, 32))
    assert model.unet.conv_in.in_channels == 51 + CONDITIONS
    present, earlier, tone = _case()
    past = present.repeat_interleave(4, -1).repeat_interleave(4, -2)
    condition = model.condition(past, tone, earlier)
    answer = model(torch.randn(2, 3, 32, 32), condition, tone, torch.tensor([1.0, 5.0]))
    assert answer.change.shape == (2, 1, 32, 32)
    assert answer.look.shape == (2, 3, 32, 32)
