"""The ESRGAN generator: residual-in-residual dense blocks (Wang et al. 2018), for 4x upscaling."""

from __future__ import annotations

from typing import cast

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from preprocessing.running.limits import MOST_LAYERS, MOST_WIDTH, check_counts

__all__ = ["RRDB", "RRDBNet", "ResidualDenseBlock", "bicubic_upsample", "grow", "initialise"]

_SLOPE = 0.2
_INIT_SCALE = 0.1


def bicubic_upsample(image: Tensor, scale: int) -> Tensor:
    """Upsample `(b, c, h, w)` by an integer with Keys' cubic kernel (a = -0.5), unclipped."""
    return functional.interpolate(
        image, scale_factor=float(scale), mode="bicubic", align_corners=False, antialias=True
    )


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each fed with all feature maps before it, and a scaled residual.

    Args:
        features: Channels in and out.
        growth: Channels each inner convolution adds.
        residual_scale: Factor on the block's output before it is added to its input.
    """

    def __init__(self, features: int, growth: int, residual_scale: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)
        self.residual_scale = residual_scale

    def forward(self, x: Tensor) -> Tensor:
        """Map `(b, features, h, w)` to the same shape."""
        maps = [x]
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            joined = maps[0] if len(maps) == 1 else torch.cat(maps, dim=1)
            maps.append(functional.leaky_relu(conv(joined), _SLOPE, inplace=True))
        residual: Tensor = self.conv5(torch.cat(maps, dim=1))
        return x + residual * self.residual_scale


class RRDB(nn.Module):
    """Residual in residual: three dense blocks inside one more scaled residual."""

    def __init__(self, features: int, growth: int, residual_scale: float) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(features, growth, residual_scale)
        self.rdb2 = ResidualDenseBlock(features, growth, residual_scale)
        self.rdb3 = ResidualDenseBlock(features, growth, residual_scale)
        self.residual_scale = residual_scale

    def forward(self, x: Tensor) -> Tensor:
        """Map `(b, features, h, w)` to the same shape."""
        inner: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return x + inner * self.residual_scale

    @torch.no_grad()
    def silence(self) -> float:
        """Zero the last convolution of each dense block; return the factor the block has then.

        The dense blocks return their input, so the whole block returns 1.2 times its input.
        """
        for block in (self.rdb1, self.rdb2, self.rdb3):
            block.conv5.weight.zero_()
            assert block.conv5.bias is not None
            block.conv5.bias.zero_()
        return 1 + self.residual_scale


def initialise(network: nn.Module) -> None:
    """Kaiming initialisation; convolutions of dense blocks scaled by 0.1 as in the paper."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=_SLOPE)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        for block in network.modules():
            if isinstance(block, ResidualDenseBlock):
                for module in block.modules():
                    if isinstance(module, nn.Conv2d):
                        module.weight.mul_(_INIT_SCALE)


class RRDBNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """RRDBNet of ESRGAN (Wang et al. 2018): no batch norm, two nearest-neighbour doublings.

    Parameter names are those of BasicSR (`conv_first`, `body.0.rdb1.conv1`, ..., `conv_last`);
    `sr.network.public_checkpoints` reads public weights under these and older names.

    Args:
        in_channels: Channels of the low-resolution image.
        out_channels: Channels of the high-resolution image.
        num_blocks: Residual-in-residual blocks: 23 in the paper, 16 in landcast, 4 and 1 for
            faster, weaker models.
        num_features: Width of the trunk.
        growth_channels: Channels that each dense convolution adds.
        residual_scale: Residual scaling of the paper.
        global_skip: Add the network's output to the bicubically upsampled input. The paper has no
            such skip, and public ESRGAN checkpoints need False. With it an untrained network
            returns bicubic upsampling exactly, which is what a small training budget needs.
        alpha: Share of these weights in a blend with those of the PSNR network beside them, which
            is what `load_network` returns (description only); None where they stand alone.
        gsd_m: Metres per pixel of the high-resolution training images (description only).
        training_data: What the weights were trained on (description only).
    """

    _supports_gradient_checkpointing = False
    scale = 4

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        num_blocks: int = 16,
        num_features: int = 64,
        growth_channels: int = 32,
        residual_scale: float = 0.2,
        global_skip: bool = False,
        alpha: float | None = None,
        gsd_m: float | None = None,
        training_data: str | None = None,
    ) -> None:
        super().__init__()
        check_counts("num_blocks", [num_blocks], MOST_LAYERS)
        widths = [in_channels, out_channels, num_features, growth_channels]
        check_counts("channels", widths, MOST_WIDTH)
        if global_skip and in_channels != out_channels:
            raise ValueError("a global skip needs as many channels out as in")
        self.conv_first = nn.Conv2d(in_channels, num_features, 3, padding=1)
        self.body = nn.ModuleList(
            RRDB(num_features, growth_channels, residual_scale) for _ in range(num_blocks)
        )
        self.conv_body = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_up1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_up2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_hr = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_last = nn.Conv2d(num_features, out_channels, 3, padding=1)
        initialise(self)
        if global_skip:
            nn.init.zeros_(self.conv_last.weight)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale by four.

        Args:
            image: `(b, in_channels, h, w)`, nominally 0..1.

        Returns:
            `(b, out_channels, 4h, 4w)`, nominally 0..1, not clipped.
        """
        first = self.conv_first(image)
        features = first
        for block in self.body:
            features = block(features)
        features = first + self.conv_body(features)
        for conv in (self.conv_up1, self.conv_up2):
            wide = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = functional.leaky_relu(conv(wide), _SLOPE, inplace=True)
        features = functional.leaky_relu(self.conv_hr(features), _SLOPE, inplace=True)
        if self.config.global_skip:
            residual: Tensor = self.conv_last(features)
            return residual.float() + bicubic_upsample(image.float(), self.scale)
        # Whole values, not residuals: bfloat16 would round them to steps of one grey level.
        with torch.autocast(image.device.type, enabled=False):
            output: Tensor = self.conv_last(features.to(self.conv_last.weight.dtype))
        return output


def grow(network: RRDBNet, num_blocks: int) -> RRDBNet:
    """A deeper copy of `network` with the same output, up to rounding.

    Blocks are appended whose dense blocks pass their input on. Such a block multiplies by 1.2,
    its outer residual (see `RRDB.silence`), which the convolution after the blocks undoes. The new
    blocks take gradients from the first step; growing again from the result is possible.

    Args:
        network: The trained, shallower network.
        num_blocks: Blocks of the copy, at least as many as `network` has.

    Raises:
        ValueError: `num_blocks` is smaller than the present depth.
    """
    present = len(network.body)
    if num_blocks < present:
        raise ValueError(f"expected at least {present} blocks to grow to, got {num_blocks}")
    deeper: RRDBNet = RRDBNet(**{**_arguments(network), "num_blocks": num_blocks})
    deeper.to(next(network.parameters()).device)
    deeper.load_state_dict(network.state_dict(), strict=False)
    gain = 1.0
    for block in list(deeper.body)[present:]:
        gain *= cast(RRDB, block).silence()
    with torch.no_grad():
        deeper.conv_body.weight.div_(gain)
    deeper.train(network.training)
    return deeper


def _arguments(network: RRDBNet) -> dict[str, object]:
    return {key: value for key, value in network.config.items() if not key.startswith("_")}
