"""The guided network and its lift: exact copies, exact means, seams, what it can learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from preprocessing.errors import LandcastError, ModelFolderError
from sr.lift.block_means import upsample_consistently
from sr.lift.guided_lift import GuidedLift
from sr.lift.network import GuidedRRDBNet, load_guided, save_guided
from sr.training.degradations import area_downsample


def _network(blocks: int = 2) -> GuidedRRDBNet:
    """A small network that adds detail of its own."""
    torch.manual_seed(0)
    network = GuidedRRDBNet(num_blocks=blocks, num_features=8, growth_channels=4, head_features=16)
    with torch.no_grad():
        network.conv_last.weight.normal_(std=0.05)
    return network.eval()


def _scene(batch: int = 1, low_px: int = 32, seed: int = 0) -> Tensor:
    """Textured images with values in 0.1..0.9."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, 5, 5, generator=generator)
    smooth = functional.interpolate(coarse, size=4 * low_px, mode="bilinear")
    texture = torch.rand(batch, 3, 4 * low_px, 4 * low_px, generator=generator) - 0.5
    return 0.2 + 0.6 * smooth + 0.2 * texture


def _repeat(low: Tensor, factor: int) -> Tensor:
    return low.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def test_blocks_without_change_are_copied_bit_for_bit_ten_times_over() -> None:
    lift = GuidedLift(_network())
    observed = image = _scene(2)
    observed[0, :, :8, :8] = 1.2  # a value out of range is none of the lift's business
    changed = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    changed[1, :, 12:20, 12:20] = True
    generator = torch.Generator().manual_seed(5)
    for _ in range(10):
        present = area_downsample(image, 4)
        step = 0.1 * torch.randn(present.shape, generator=generator) * changed
        image = lift(image, present, present + step)
    kept = ~_repeat(changed, 4).expand_as(image)
    assert torch.equal(image[kept], observed[kept])
    assert not torch.equal(image[~kept], observed[~kept])


def test_tiles_without_change_do_not_ask_the_network() -> None:
    network = _network()
    with torch.no_grad():
        network.conv_last.bias.fill_(float("nan"))
    observed = _scene()
    present = area_downsample(observed, 4)
    assert torch.equal(GuidedLift(network)(observed, present, present), observed)
    with pytest.raises(LandcastError, match="finite"):
        GuidedLift(network)(observed, present, present + 0.1)


def test_block_means_are_the_forecast() -> None:
    observed = _scene(2)
    present = area_downsample(observed, 4)
    future = torch.rand(present.shape, generator=torch.Generator().manual_seed(3))
    lifted = GuidedLift(_network())(observed, present, future)
    assert lifted.shape == observed.shape
    # Sixteen float32 values near 1 are added and divided: a few units in the last place.
    assert (area_downsample(lifted, 4) - future).abs().max() < 2e-6
    assert lifted.min() >= 0
    assert lifted.max() <= 1


def test_untrained_network_carries_detail_by_the_share_it_starts_with() -> None:
    torch.manual_seed(0)
    network = GuidedRRDBNet(num_blocks=1, num_features=8, growth_channels=4, head_features=16)
    observed = _scene()
    present = area_downsample(observed, 4)
    future = present + 0.05
    detail = observed - upsample_consistently(present)
    share = torch.sigmoid(torch.tensor(2.0))
    expected = upsample_consistently(future) + share * detail
    expected = expected + _repeat(future - area_downsample(expected, 4), 4)
    assert (network(observed, present, future) - expected).abs().max() < 1e-5


def test_result_does_not_depend_on_the_batch() -> None:
    lift = GuidedLift(_network())
    observed = _scene(3)
    present = area_downsample(observed, 4)
    future = torch.rand(present.shape, generator=torch.Generator().manual_seed(4))
    together = lift(observed, present, future)
    for index in range(3):
        one = slice(index, index + 1)
        assert torch.equal(lift(observed[one], present[one], future[one]), together[one])


def test_a_tile_with_its_halo_equals_the_whole() -> None:
    lift = GuidedLift(_network())
    observed = _scene(low_px=64)
    present = area_downsample(observed, 4)
    noise = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(2)) - 0.5
    change = functional.interpolate(noise, size=64, mode="bicubic") * 0.3
    whole = lift(observed, present, present + change)
    top, size = 20, 20
    cells = slice(top - lift.halo, top + size + lift.halo)
    pixels = slice(4 * cells.start, 4 * cells.stop)
    part = lift(
        observed[..., pixels, pixels],
        present[..., cells, cells],
        (present + change)[..., cells, cells],
    )
    inside = slice(4 * lift.halo, 4 * (lift.halo + size))
    kept = slice(4 * top, 4 * (top + size))
    off = (part[..., inside, inside] - whole[..., kept, kept]).abs().max()
    assert off < 1 / 255


def test_shapes_are_checked() -> None:
    lift = GuidedLift(_network())
    low = torch.rand(1, 3, 32, 32)
    for shape in ((1, 3, 96, 96), (1, 3, 128, 64), (2, 3, 128, 128)):
        with pytest.raises(ValueError, match="observed"):
            lift(torch.rand(shape), low, low)


def test_folder_round_trip_and_a_folder_that_is_none(tmp_path: Path) -> None:
    network = _network().half().float()
    save_guided(network, tmp_path / "model")
    read = load_guided(tmp_path / "model", device=torch.device("cpu"))
    for name, value in network.state_dict().items():
        assert torch.equal(read.state_dict()[name], value)
    assert "_name_or_path" not in (tmp_path / "model" / "config.json").read_text()
    with pytest.raises(ModelFolderError, match="train lift"):
        load_guided(tmp_path)


def test_seen_detail_reaches_the_answer_through_the_patch_channels() -> None:
    network = _network()
    observed = _scene()
    present = area_downsample(observed, 4)
    future = present + 0.1
    moved = observed.clone()
    block = (..., slice(64, 68), slice(64, 68))
    moved[block] = moved[block].flip(-1)  # the same mean, other detail
    before, after = (network(x, present, future) for x in (observed, moved))
    beside = (..., slice(56, 64), slice(56, 64))
    assert (before[block] - after[block]).abs().max() > 0.01
    assert (before[beside] - after[beside]).abs().max() > 0
