"""The conditioned UNet as a diffusers model that describes itself."""

from __future__ import annotations

from typing import Any, Literal

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from forecast.objects import object_labels
from forecast.patches import FACTOR, PatchLayout, to_patches

__all__ = ["NOISE_CHANNELS", "PATCH_CHANNELS", "ForecastUNet", "Objective"]

Objective = Literal["crps", "flow"]
NOISE_CHANNELS = 3
PATCH_CHANNELS = 3 * FACTOR**2
_IMAGE_CENTRE, _IMAGE_SPREAD = 0.5, 0.25


class ForecastUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Generates the scaled difference future minus past at a quarter of the resolution.

    51 input channels: 3 of noise (or of the noisy difference) and 48 patch channels of the
    past. The horizon in years enters through the class embedding of `UNet2DModel`.

    Args:
        block_out_channels: Width of each level.
        layers_per_block: Residual blocks a level.
        attention_levels: How many of the deepest levels attend.
        patch_layout: See `forecast.patches.to_patches`.
        objective: What the weights were trained for. `crps`: one pass turns noise into a member
            (trained by the fair CRPS over two members). `flow`: the velocity of a rectified
            flow, integrated in `sampling_steps` passes.
        sampling_steps: Network passes a forecast takes by default.
        object_scales: Sizes of objects that share their noise (`forecast.objects`), the finest
            first, one noise channel each; the other channels, before them, are white. The finest
            objects change as a whole. None for `flow`.
        target_scale: Standard deviation of the training difference, in units of 0..1.
        horizon_years: Shortest and longest horizon seen in training.
        gsd_m: Smallest and largest metres per pixel seen in training.
    """

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers ships no types
    def __init__(
        self,
        block_out_channels: tuple[int, ...] = (64, 128, 192, 256),
        layers_per_block: int = 1,
        attention_levels: int = 1,
        patch_layout: PatchLayout = "aligned",
        objective: Objective = "crps",
        sampling_steps: int = 1,
        object_scales: tuple[float, ...] = (),
        target_scale: float = 0.1,
        horizon_years: tuple[float, float] = (1.0, 10.0),
        gsd_m: tuple[float, float] = (0.6, 90.0),
    ) -> None:
        super().__init__()
        if len(object_scales) > NOISE_CHANNELS or (object_scales and objective != "crps"):
            raise ValueError(
                f"expected at most {NOISE_CHANNELS} object scales, and none for 'flow', "
                f"got {object_scales} for '{objective}'"
            )
        levels = len(block_out_channels)
        attends = [level >= levels - attention_levels for level in range(levels)]
        self.unet = UNet2DModel(
            sample_size=32,
            in_channels=NOISE_CHANNELS + PATCH_CHANNELS,
            out_channels=3,
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
            class_embed_type="timestep",
            norm_num_groups=16,
            attention_head_dim=32,
        )

    def condition(self, past: Tensor) -> Tensor:
        """Patch channels of a past image `(b, 3, 4h, 4w)` in 0..1: `(b, 48, h, w)`, unit scale."""
        image = (past - _IMAGE_CENTRE) / _IMAGE_SPREAD
        return to_patches(image, self.config.patch_layout)

    def objects(self, low: Tensor) -> Tensor:
        """Objects of images `(b, 3, h, w)` in 0..1: labels `(b, s, h, w)`, see `object_labels`."""
        return object_labels(low, self.config.object_scales)

    def forward(self, noisy: Tensor, condition: Tensor, time: Tensor, years: Tensor) -> Tensor:
        """One pass of the network.

        Args:
            noisy: `(b, 3, h, w)` noise or noisy scaled difference.
            condition: `(b, 48, h, w)` from `condition`.
            time: `(b,)` position on the noise path, 1 is pure noise and 0 is data.
            years: `(b,)` horizon in years.

        Returns:
            `(b, 3, h, w)`: the scaled difference (`crps`) or the velocity noise minus data
            (`flow`), float32.
        """
        stacked = torch.cat([noisy, condition], dim=1)
        stacked = stacked.contiguous(memory_format=torch.channels_last)
        output: Any = self.unet(stacked, time * 1000.0, class_labels=years * 10.0)
        return output.sample.float()  # type: ignore[no-any-return]
