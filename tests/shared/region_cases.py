"""A made region and a network whose answers are known, for tests of `forecast.region`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.network.unet import ChangeUNet
from forecast.region.ground import Ground, prepare_ground
from forecast.region.images import open_images
from forecast.region.member import MemberPaths, MemberRun
from forecast.region.tiled_inference import Noise, RegionNetwork, View
from sr.lift.network import GuidedRRDBNet


class BlockLift:
    """Adds the change of each cell to its pixels."""

    halo = 1

    def __call__(self, observed: Tensor, present: Tensor, future: Tensor) -> Tensor:
        change = (future - present).repeat_interleave(4, -1).repeat_interleave(4, -2)
        return observed + change


def small_lift() -> GuidedRRDBNet:
    """Untrained."""
    torch.manual_seed(1)
    network = GuidedRRDBNet(num_blocks=1, num_features=8, growth_channels=4, head_features=16)
    return network.eval()


def small_network(change_bias: float = -2.0) -> ChangeUNet:
    """Untrained, with a probability of change of some per cent."""
    torch.manual_seed(0)
    model: ChangeUNet = ChangeUNet(block_out_channels=(16, 32), horizon_years=(1.0, 3.0))
    with torch.no_grad():
        model.unet.conv_out.bias.zero_()
        model.unet.conv_out.bias[0] = change_bias
        model.unet.conv_out.bias[1] = 1.5
    return model.eval()


class StatedNetwork(RegionNetwork):
    """Answers with a stated probability by horizon instead of running."""

    by_years: Callable[[float], NDArray[np.float32]]

    def probability(self, view: View, years: float, noise: Noise) -> NDArray[np.float32]:
        return self.by_years(years)

    def look(
        self, view: View, years: float, noise: Noise, where: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        return np.full((3, *where.shape), 0.25, np.float32)


def ground_of(paths: list[Path], folder: Path) -> Ground:
    folder.mkdir(exist_ok=True)
    return prepare_ground(open_images(paths), folder)[0]


def stated(ground: Ground, by_years: Callable[[float], float]) -> StatedNetwork:
    height, width = ground.objects.shape
    network = StatedNetwork(small_network(), height=height, width=width)
    network.by_years = lambda years: np.full((height, width), by_years(years), np.float32)
    return network


def run_of(
    ground: Ground,
    folder: Path,
    network: RegionNetwork,
    *,
    member: int = 0,
    seed: int = 3,
    tick: Callable[[], None] | None = None,
) -> MemberRun:
    folder.mkdir(exist_ok=True)
    return MemberRun(
        ground,
        network,
        BlockLift(),
        seed,
        2020,
        MemberPaths(folder, member),
        tick=tick,
    )
