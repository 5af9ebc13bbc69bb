"""The network over a region: noise, tiles and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from region_cases import ground_of, small_network

from forecast.network.unet import ChangeUNet
from forecast.region.ground import Ground
from forecast.region.tiled_inference import Noise, RegionNetwork
from preprocessing.running.precision import native_bfloat16

Make = Callable[..., Path]
_CLOSE = 4e-3 if native_bfloat16("cpu") else 2e-4
"""Of answers of the network that were computed in another order."""


@pytest.fixture
def ground(make_raster: Make, tmp_path: Path) -> Ground:
    return ground_of([make_raster("region_2020.tif")], tmp_path / "ground")


@pytest.fixture
def bold(ground: Ground) -> RegionNetwork:
    """A network whose looks differ from tile to tile and with the noise."""
    height, width = ground.objects.shape
    network = RegionNetwork(small_network(), height=height, width=width)
    with torch.no_grad():
        network._model.unet.conv_out.weight.mul_(30)
    return network


def test_noise_of_a_member_is_its_own(ground: Ground, bold: RegionNetwork) -> None:
    every = np.ones(ground.objects.shape, bool)
    first, again, other = (
        bold.look(ground.view, 2, Noise(1, member), every) for member in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_tiles_leave_no_seams_and_batches_no_trace(ground: Ground) -> None:
    height, width = ground.objects.shape
    answers = [
        RegionNetwork(small_network(), height=height, width=width, batch_size=size).probability(
            ground.view, 1, Noise(1, 0)
        )
        for size in (1, 16)
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=_CLOSE)
    assert answers[0].shape == (height, width)


def test_looks_that_are_asked_for_are_those_of_the_whole(
    ground: Ground, bold: RegionNetwork
) -> None:
    every = np.ones(ground.objects.shape, bool)
    some = np.zeros_like(every)
    some[3:6, 10:14] = True
    whole, part = (bold.look(ground.view, 2, Noise(1, 0), where) for where in (every, some))
    np.testing.assert_allclose(part[:, some], whole[:, some], atol=_CLOSE)
    assert not part[:, -1, -1].any()


def test_rules_alone_need_no_pass_of_the_network(ground: Ground) -> None:
    height, width = ground.objects.shape
    model = small_network().occurrence_by_rules()
    assert model.occurs_by_rules
    assert not small_network().occurs_by_rules
    network = RegionNetwork(model, height=height, width=width)
    found = network.probability(ground.view, 2, Noise(1, 0))
    by_passes = network._blended(ground.view, 2, Noise(1, 0), lambda a: a.change.sigmoid(), 1)[0]
    np.testing.assert_allclose(found, by_passes, atol=_CLOSE)


@pytest.mark.parametrize(("device", "tiles"), [("cpu", 16), ("cuda", 256)])
def test_a_gpu_is_given_more_tiles_at_once(device: str, tiles: int) -> None:
    model = SimpleNamespace(device=torch.device(device))
    network = RegionNetwork(cast(ChangeUNet, model), height=200, width=200)
    assert network._batch_size == tiles
