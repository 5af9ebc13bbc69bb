"""The conditioned UNet: where ground changes lastingly, and what it then looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from forecast.network.class_embedding import ClassEmbedding, class_labels
from forecast.network.conditions import (
    CONDITIONS,
    LASTING,
    PAST_CHANNELS,
    RULES,
    TEXTURE_CHANNEL,
    Earlier,
    Tone,
    conditions,
    past_change,
    rule_columns,
)
from forecast.network.patches import FACTOR, to_low, to_patches
from preprocessing.running.limits import MOST_LAYERS, MOST_WIDTH, check_counts

__all__ = [
    "ANSWERS",
    "NOISE_CHANNELS",
    "PATCH_CHANNELS",
    "UNCALIBRATED",
    "Answer",
    "ChangeUNet",
    "occurrence_columns",
]

NOISE_CHANNELS = 3
PATCH_CHANNELS = 3 * FACTOR**2
ANSWERS = {"change": 1, "drawn": 1, "look": 3}
"""Channels of an `Answer`."""
UNCALIBRATED = (1.0, 0.0, 0.0, 0.0, 1.0)
"""Weights of `occurrence_columns` before they are fitted; the last stays."""
_OUTPUTS = 4
_LEAST_TEXTURE, _ROUGH = 0.01, 0.4


def occurrence_columns(drawn: Tensor, condition: Tensor, tone: Tone, years: Tensor) -> Tensor:
    """What calibrated log odds are a weighted sum of.

    Args:
        drawn: `(b, 1, h, w)` log odds among tiles as training draws them.
        condition: From `ChangeUNet.condition`.
        tone: As there.
        years: `(b,)` horizon.

    Returns:
        `(b, 5, h, w)`: those log odds, 1, the logarithm of the years, and how calm the ground is:
        the logarithm of its smoothed texture, 0 from 0.4 of the contrast on. Water, sand and snow
        hardly change lastingly. Last the logarithm of the share of changes that are as large as
        what counts as lasting change (20 grey levels), if their sizes are exponential with the
        contrast as their mean.
    """
    texture = condition[:, [TEXTURE_CHANNEL - CONDITIONS]].float()
    calm = ((texture + _LEAST_TEXTURE) / _ROUGH).log().clamp_max(0)
    shape = years.log().view(-1, 1, 1, 1).expand_as(drawn)
    large = (-LASTING / tone.contrast).view(-1, 1, 1, 1).expand_as(drawn)
    return torch.cat([drawn, torch.ones_like(drawn), shape, calm, large], dim=1)


@dataclass(frozen=True)
class Answer:
    """What the network says of b pictures, on the grid of cells.

    Attributes:
        change: `(b, 1, h, w)` log odds that the ground has lastingly changed by the horizon.
        drawn: `(b, 1, h, w)` likewise among tiles as training draws them: change more often.
        look: `(b, 3, h, w)` difference to the present if it has, 0..1 units, drawn from the noise.
    """

    change: Tensor
    drawn: Tensor
    look: Tensor


class ChangeUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers ships no types
    """Occurrence, then appearance, in one pass.

    51 input channels as in the reference (3 of noise, 48 patch channels of the past) and the
    channels of the earlier dates (`forecast.network.conditions`) beside them; 32 x 32 cells out.
    Occurrence and appearance are the two parts of a hurdle model (Mullahy 1986; of rain: Wilks
    1990). Horizon, metres per pixel and the noise that a region shares enter through the class
    embedding of `UNet2DModel`.

    Args:
        block_out_channels: Width of each level.
        layers_per_block: Residual blocks a level.
        attention_levels: How many of the deepest levels attend.
        regional_noise: Values of noise that a whole region shares in a year, as it shares its
            weather.
        horizon_years: Shortest and longest horizon seen in training.
        gsd_m: Smallest and largest metres per pixel seen in training.
    """

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers ships no types
    def __init__(
        self,
        block_out_channels: tuple[int, ...] = (64, 96, 128, 192),
        layers_per_block: int = 1,
        attention_levels: int = 1,
        regional_noise: int = 8,
        horizon_years: tuple[float, float] = (1.0, 10.0),
        gsd_m: tuple[float, float] = (0.6, 210.0),
    ) -> None:
        super().__init__()
        check_counts("block_out_channels", block_out_channels, MOST_WIDTH)
        check_counts("regional_noise", [regional_noise + 1], MOST_WIDTH)
        levels = len(block_out_channels)
        check_counts("layers", [levels, layers_per_block], MOST_LAYERS)
        attends = [level >= levels - attention_levels for level in range(levels)]
        self.unet = UNet2DModel(
            sample_size=32,
            in_channels=NOISE_CHANNELS + PATCH_CHANNELS + CONDITIONS,
            out_channels=_OUTPUTS,
            resnet_time_scale_shift="scale_shift",
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
            class_embed_type="identity",
            norm_num_groups=16,
            attention_head_dim=32,
        )
        self.unet.class_embedding = ClassEmbedding(
            block_out_channels[0],
            4 * block_out_channels[0],
            regional=regional_noise,
        )

        # Occurrence starts from the rules to beat: what changed before, and texture.
        self.rules = nn.Conv2d(CONDITIONS, 1, kernel_size=1, bias=False)
        nn.init.zeros_(self.rules.weight)
        with torch.no_grad():
            for channel, weight in RULES:
                self.rules.weight[0, channel] = weight
        self.calibration = nn.Parameter(torch.tensor(UNCALIBRATED), requires_grad=False)

    def occurrence_by_rules(self) -> ChangeUNet:
        """A copy whose log odds of change are those of the rules alone, not calibrated."""
        copy: ChangeUNet = type(self).from_config(self.config)
        copy.load_state_dict(self.state_dict())
        copy.to(self.device, memory_format=torch.channels_last)
        with torch.no_grad():
            copy.unet.conv_out.weight[0] = 0
            copy.unet.conv_out.bias[0] = 0
            copy.rules.weight.zero_()
            for channel, weight in RULES:
                copy.rules.weight[0, channel] = weight
        copy.eval()
        return copy

    @property
    def occurs_by_rules(self) -> bool:
        """Whether the log odds of change are those of the rules alone, whatever the noise."""
        last = self.unet.conv_out
        return not bool(last.weight[0].any()) and not bool(last.bias[0])

    def by_rules(self, condition: Tensor) -> Tensor:
        """Log odds of change `(b, 1, h, w)` that the rules tell, not calibrated.

        Args:
            condition: From `condition`, or its last `CONDITIONS` channels.
        """
        told: Tensor = self.rules(rule_columns(condition[:, -CONDITIONS:]))
        return told.float()

    def by_past_change(self, condition: Tensor) -> Tensor:
        """The part of `by_rules` that past change tells."""
        told = past_change(condition[:, -CONDITIONS:][:, PAST_CHANNELS])
        return F.conv2d(told, self.rules.weight[:, PAST_CHANNELS[:2]])

    def occurrence(self, drawn: Tensor, condition: Tensor, tone: Tone, years: Tensor) -> Tensor:
        """Calibrated log odds of change `(b, 1, h, w)`; arguments as of `occurrence_columns`."""
        columns = occurrence_columns(drawn, condition, tone, years)
        return torch.einsum("bkhw,k->bhw", columns, self.calibration)[:, None]

    def condition(self, past: Tensor, tone: Tone, earlier: Earlier | None = None) -> Tensor:
        """What the network sees of the pictures.

        Args:
            past: `(b, 3, 4 * h, 4 * w)`, 0..1.
            tone: Of the regions they are cut from.
            earlier: Earlier dates of the same ground. Default: none.

        Returns:
            `(b, 48 + CONDITIONS, h, w)`.
        """
        cells = to_low(past)
        known = Earlier.none(cells) if earlier is None else earlier
        patches = to_patches(tone.units(past) / 2)
        return torch.cat([patches, conditions(cells, known, tone)], dim=1)

    def forward(
        self,
        noise: Tensor,
        condition: Tensor,
        tone: Tone,
        years: Tensor,
        gsd_m: Tensor | None = None,
        regional: Tensor | None = None,
    ) -> Answer:
        """One pass of the network.

        Args:
            noise: `(b, 3, h, w)` standard normal.
            condition: From `condition`.
            tone: As there.
            years: `(b,)` horizon in years.
            gsd_m: `(b,)` metres per pixel of the past, 0 where not known. Default: not known.
            regional: `(b, k)` standard normal, k being `regional_noise`. Default: zeros.
        """
        stacked = torch.cat([noise, condition], dim=1)
        stacked = stacked.contiguous(memory_format=torch.channels_last)
        if regional is None:
            regional = noise.new_zeros((len(noise), int(self.config.regional_noise)))
        labels = class_labels(years, gsd_m, regional)
        output: Any = self.unet(stacked, torch.zeros_like(years), class_labels=labels)
        values = output.sample.float()
        contrast = tone.contrast.view(-1, 1, 1, 1)
        drawn = values[:, :1] + self.by_rules(condition)
        change = self.occurrence(drawn.detach(), condition, tone, years)
        return Answer(change, drawn, values[:, 1:] * contrast)
