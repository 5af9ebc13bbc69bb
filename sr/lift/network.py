"""Reference-guided super-resolution: a low-resolution future and today's picture to full size."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from preprocessing.running.partial_files import partial_path
from preprocessing.running.pretrained import read_pretrained
from sr.lift.block_means import copied_where_same, keep_block_means, upsample_consistently
from sr.lift.shipped import SHIPPED_LIFT
from sr.network.checkpoints import save_half
from sr.network.rrdb import RRDB, initialise

__all__ = ["GuidedRRDBNet", "load_guided", "save_guided"]

_SCALE = 4
_PHASES = _SCALE**2
_SLOPE = 0.2
_DETAIL_GAIN, _LEVEL_GAIN, _CHANGE_GAIN = 8.0, 4.0, 8.0
_KEPT_AT_FIRST = 2.0  # Logit of the share of today's detail that an untrained network keeps.


class GuidedRRDBNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """RRDB blocks that see the past (reference-based super-resolution, RefSR).

    All convolutions run at the low resolution. Input are the 48 patch channels of today's detail
    (`pixel_unshuffle` of what the block means do not tell), the low-resolution future and its
    difference from today. Out come, for each of the 16 pixels of a block, a share of today's
    detail that still holds and new detail of three bands, laid out by `pixel_shuffle`.

    The blocks are those of ESRGAN (Wang et al. 2018); for guidance by an earlier image of the same
    ground see RRSGAN (Dong et al. 2021) and CRefDiff (arXiv 2506.23801).

    Args:
        num_blocks: Residual-in-residual blocks.
        num_features: Width of the trunk.
        growth_channels: Channels that each dense convolution adds.
        head_features: Width between the trunk and the output, where today's detail joins again.
        residual_scale: Residual scaling of the blocks.
        gsd_m: Metres per pixel of the training images (description only).
        training_data: What the weights were trained on (description only).
    """

    _supports_gradient_checkpointing = False
    scale = _SCALE

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers ships no types
    def __init__(
        self,
        num_blocks: int = 16,
        num_features: int = 32,
        growth_channels: int = 16,
        head_features: int = 96,
        residual_scale: float = 0.2,
        gsd_m: tuple[float, float] | None = None,
        training_data: str | None = None,
    ) -> None:
        super().__init__()
        if num_blocks < 1:
            raise ValueError(f"expected at least one block, got {num_blocks}")
        seen = 3 * _PHASES + 6
        self.conv_first = nn.Conv2d(seen, num_features, 3, padding=1)
        self.body = nn.ModuleList(
            RRDB(num_features, growth_channels, residual_scale) for _ in range(num_blocks)
        )
        self.conv_body = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_head = nn.Conv2d(num_features + seen, head_features, 3, padding=1)
        self.conv_last = nn.Conv2d(head_features, 4 * _PHASES, 3, padding=1)
        initialise(self)
        with torch.no_grad():
            self.conv_last.weight.zero_()
            assert self.conv_last.bias is not None
            self.conv_last.bias[:_PHASES].fill_(_KEPT_AT_FIRST)

    def forward(self, observed: Tensor, present: Tensor, future: Tensor) -> Tensor:
        """Lift by four.

        Args:
            observed: `(b, 3, 4h, 4w)`, 0..1: today.
            present: `(b, 3, h, w)`: its 4x4 means.
            future: `(b, 3, h, w)`: the 4x4 means to reach.

        Returns:
            `(b, 3, 4h, 4w)` float32 whose 4x4 means are `future` up to rounding. Blocks in which
            `future` equals `present` in every band are those of `observed`, bit for bit. Not
            clipped.
        """
        change = future - present
        with torch.no_grad():
            smooth = upsample_consistently(torch.cat([present, change], dim=1))
            detail = functional.pixel_unshuffle(observed - smooth[:, :3], _SCALE)
            carried = observed + smooth[:, 3:]
        seen = torch.cat(
            [_DETAIL_GAIN * detail, _LEVEL_GAIN * (future - 0.5), _CHANGE_GAIN * change], dim=1
        ).contiguous(memory_format=torch.channels_last)
        answer = self._answer(seen).float()
        gone = torch.sigmoid(-answer[:, :_PHASES]).repeat(1, 3, 1, 1)
        residual = answer[:, _PHASES:] / _DETAIL_GAIN - gone * detail
        lifted = carried + functional.pixel_shuffle(residual, _SCALE)
        return copied_where_same(keep_block_means(lifted, future), observed, change)

    def _answer(self, seen: Tensor) -> Tensor:
        first = self.conv_first(seen)
        features = first
        for block in self.body:
            features = block(features)
        features = first + self.conv_body(features)
        wide = self.conv_head(torch.cat([features, seen], dim=1))
        answer: Tensor = self.conv_last(functional.leaky_relu(wide, _SLOPE, inplace=True))
        return answer


def load_guided(
    folder: str | Path = SHIPPED_LIFT, *, device: torch.device | None = None
) -> GuidedRRDBNet:
    """Load a guided network in float32 and evaluation mode.

    Args:
        folder: As `landcast train lift` writes it. Default: the one that ships.
        device: Where to put it; a GPU if there is one.

    Raises:
        ModelFolderError: The folder does not hold one.
    """
    network = read_pretrained(
        GuidedRRDBNet,
        folder,
        expected="the network that 'landcast train lift' writes",
        advice="train it again",
    )
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return network.to(device).eval()  # type: ignore[no-any-return]


def save_guided(network: GuidedRRDBNet, folder: Path) -> None:
    """Save a float16 copy, which may take the place of an earlier one: a file at a time."""
    part = partial_path(folder / "model")
    save_half(network, part)
    for file in part.iterdir():
        os.replace(file, folder / file.name)
    part.rmdir()
