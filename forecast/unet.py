"""The conditioned UNet as a diffusers model that describes itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from forecast.circumstances import Circumstances, circumstances
from forecast.history import CHANNELS, History
from forecast.objects import Segments, segment
from forecast.patches import FACTOR, OUTPUT_SIZES, TILE_PX, PatchLayout, to_low, to_patches
from forecast.process import NoiseSchedule, Objective, Process, Sampler

__all__ = ["NOISE_CHANNELS", "ForecastUNet"]

NOISE_CHANNELS = 3
_IMAGE_CENTRE, _IMAGE_SPREAD = 0.5, 0.25


class ForecastUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Generates the scaled difference future minus past at a quarter of the resolution, or finer.

    51 input channels for 32 px of output: 3 of noise (or of the noisy difference) and 48 patch
    channels of the past; 4 more for each earlier date it takes (`forecast.history`). The horizon
    in years and the metres per pixel enter through the class embedding of `UNet2DModel`.

    Args:
        block_out_channels: Width of each level.
        layers_per_block: Residual blocks a level.
        attention_levels: How many of the deepest levels attend.
        patch_layout: See `forecast.patches.to_patches`.
        output_size: Side of the forecast of a tile of 128 px: 32, 64 or 128 px.
        objective: What the weights were trained for. `crps`: one pass turns noise into a member
            (trained by the fair CRPS over two members). `mean`: one pass answers the expected
            change, without noise. Others take `sampling_steps` passes, see `Process`.
        sampling_steps: Network passes a forecast takes by default.
        noise_schedule: Of `noise` and `velocity`.
        sampler: Solver of a forecast of several passes.
        guidance: Weight of the picture in forecasts of several passes: above 1 the output is
            pushed away from that without picture (classifier-free guidance, Ho and Salimans
            2022). Needs training with `condition_dropout`.
        object_scales: Sizes of objects that share their noise (`forecast.objects`), for 32 px of
            output (finer outputs have objects of the same size on the ground), the finest
            first, one noise channel each; the other channels, before them, are white. The finest
            objects change as a whole. None for objectives of several passes.
        part_scale: Likewise the size of the parts of objects, but in pixels of the output: they
            have a noise channel of their own, after those of the objects, and change beside
            them, as single pixels do, by six more output channels. None if 0.
        regional_noise: Values of noise that a whole region shares in a year, as it shares its
            weather; they scale and shift the features of every block. None for objectives of
            several passes.
        resolution_condition: Whether the metres per pixel are a condition.
        history: Earlier dates that are a condition, beside the past. A forecast may have fewer.
        noise_scale: Calibration: factors on the noise of a forecast in one pass, as (years,
            factor), linear between these horizons and constant beyond. None: 1. Training does
            not see it.
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
        output_size: int = TILE_PX // FACTOR,
        objective: Objective = "crps",
        sampling_steps: int = 1,
        noise_schedule: NoiseSchedule = "cosine",
        sampler: Sampler = "default",
        guidance: float = 1.0,
        object_scales: tuple[float, ...] = (),
        part_scale: float = 0.0,
        regional_noise: int = 0,
        resolution_condition: bool = False,
        history: int = 0,
        noise_scale: tuple[tuple[float, float], ...] = (),
        target_scale: float = 0.1,
        horizon_years: tuple[float, float] = (1.0, 10.0),
        gsd_m: tuple[float, float] = (0.6, 90.0),
    ) -> None:
        super().__init__()
        if output_size not in OUTPUT_SIZES:
            raise ValueError(f"expected an output_size of {OUTPUT_SIZES}, got {output_size}")
        if len(object_scales) > NOISE_CHANNELS or (object_scales and objective != "crps"):
            raise ValueError(
                f"expected at most {NOISE_CHANNELS} object scales, and none but for 'crps', "
                f"got {object_scales} for '{objective}'"
            )
        Process(objective, noise_schedule)
        if noise_scale and objective != "crps":
            raise ValueError(f"expected no noise_scale for '{objective}', got {noise_scale}")
        if regional_noise and objective != "crps":
            raise ValueError(f"expected regional_noise = 0 for '{objective}', got {regional_noise}")
        if part_scale and not 1 <= len(object_scales) < NOISE_CHANNELS:
            raise ValueError(
                f"expected 1 to {NOISE_CHANNELS - 1} object scales with a part_scale, "
                f"got {object_scales}"
            )
        levels = len(block_out_channels)
        attends = [level >= levels - attention_levels for level in range(levels)]
        self.unet = UNet2DModel(
            sample_size=output_size,
            in_channels=NOISE_CHANNELS + 3 * self.factor**2 + CHANNELS * history,
            out_channels=self.output_channels,
            resnet_time_scale_shift="scale_shift" if regional_noise else "default",
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
            class_embed_type="identity",
            norm_num_groups=16,
            attention_head_dim=32,
        )
        self.unet.class_embedding = Circumstances(
            block_out_channels[0],
            4 * block_out_channels[0],
            resolution=resolution_condition,
            regional=regional_noise,
        )

    @property
    def process(self) -> Process:
        """What it was trained on."""
        return Process(self.config.objective, self.config.noise_schedule)

    @property
    def factor(self) -> int:
        """Image pixels along one pixel of the output: 4, 2 or 1."""
        return TILE_PX // int(self.config.output_size)

    @property
    def output_channels(self) -> int:
        """Of the network: 3, and 6 more for parts of objects and for pixels."""
        return 9 if self.config.part_scale else 3

    def condition(self, past: Tensor, history: History | None = None) -> Tensor:
        """What the network sees of the pictures, on unit scale.

        Args:
            past: `(b, 3, f * h, f * w)`, 0..1, f being `factor`.
            history: Earlier dates; those the model does not take are left out. Default: none.

        Returns:
            `(b, 3 * f ** 2, h, w)` patch channels, then 4 for each earlier date the model takes.
        """
        image = (past - _IMAGE_CENTRE) / _IMAGE_SPREAD
        patches = to_patches(image, self.config.patch_layout, self.factor)
        if self.config.history == 0:
            return patches
        low = to_low(past, self.factor)
        known = History.none(low) if history is None else history
        scale = float(self.config.target_scale)
        return torch.cat([patches, known.channels(low, self.config.history, scale=scale)], dim=1)

    def segments(self, low: Tensor) -> Segments:
        """Objects of images `(b, 3, h, w)` in 0..1, and their parts."""
        return segment(
            low,
            self.config.object_scales,
            part_scale=self.config.part_scale,
            finer=FACTOR // self.factor,
        )

    def forward(
        self,
        noisy: Tensor,
        condition: Tensor,
        time: Tensor,
        years: Tensor,
        gsd_m: Tensor | None = None,
        regional: Tensor | None = None,
    ) -> Tensor:
        """One pass of the network.

        Args:
            noisy: `(b, 3, h, w)` noise or noisy scaled difference.
            condition: From `condition`.
            time: `(b,)` position on the noise path, 1 is pure noise and 0 is data.
            years: `(b,)` horizon in years.
            gsd_m: `(b,)` metres per pixel of the past, 0 where not known. Default: not known.
            regional: `(b, k)` standard normal, k being the `regional_noise` of the model.

        Returns:
            `(b, 3, h, w)` float32: the scaled difference (`crps`, `mean`) or what the process
            asks for. With a `part_scale` `(b, 9, h, w)`, see `forecast.objects.settle`.
        """
        stacked = torch.cat([noisy, condition], dim=1)
        stacked = stacked.contiguous(memory_format=torch.channels_last)
        labels = circumstances(years, gsd_m, regional)
        output: Any = self.unet(stacked, time * 1000.0, class_labels=labels)
        return output.sample.float()  # type: ignore[no-any-return]

    def guided(
        self,
        noisy: Tensor,
        condition: Tensor,
        time: Tensor,
        years: Tensor,
        gsd_m: Tensor | None = None,
        regional: Tensor | None = None,
    ) -> Tensor:
        """`forward`, with the guidance and the calibration the model is configured for."""
        if self.config.noise_scale:
            known, factors = np.transpose(self.config.noise_scale)
            factor = torch.from_numpy(np.interp(years.cpu(), known, factors)).to(noisy)
            noisy = noisy * factor.view(-1, 1, 1, 1)
            regional = None if regional is None else regional * factor.view(-1, 1)
        output: Tensor = self(noisy, condition, time, years, gsd_m, regional)
        weight = float(self.config.guidance)
        if weight == 1.0:
            return output
        blind: Tensor = self(noisy, torch.zeros_like(condition), time, years, gsd_m)
        return blind + weight * (output - blind)
