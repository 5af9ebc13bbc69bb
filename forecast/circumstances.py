"""What a forecast is told beside the picture: years ahead and metres per pixel."""

from __future__ import annotations

import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn

__all__ = ["Circumstances", "circumstances"]

_YEARS_SCALE = 10.0
_OCTAVE_SCALE = 10.0
"""One year, or one halving of the resolution, moves the quickest sinusoid by ten radians."""


def circumstances(years: Tensor, gsd_m: Tensor | None = None) -> Tensor:
    """Labels `(b, 2)`: horizons `(b,)` in years and metres per pixel `(b,)`, 0 where not known."""
    unknown = torch.zeros_like(years)
    known = unknown if gsd_m is None else gsd_m.to(years).nan_to_num(0.0)
    return torch.stack([years, known], dim=1)


class Circumstances(TimestepEmbedding):  # type: ignore[misc]  # diffusers ships no types
    """Sinusoids of the horizon, to which those of the resolution are added, then two layers.

    Takes the place of the class embedding of `UNet2DModel`. An unknown resolution adds nothing.

    Args:
        channels: Sinusoids of each.
        embedding: Width of the embedding.
        resolution: Whether metres per pixel count.
    """

    def __init__(self, channels: int, embedding: int, *, resolution: bool) -> None:
        super().__init__(channels, embedding, cond_proj_dim=channels if resolution else None)
        self.sinusoids = Timesteps(channels, flip_sin_to_cos=True, downscale_freq_shift=0)
        if resolution:
            # At first it says nothing, so that weights without it can be trained on.
            nn.init.zeros_(self.cond_proj.weight)

    def forward(self, labels: Tensor) -> Tensor:
        """Embed labels `(b, 2)` from `circumstances`: `(b, embedding)`."""
        dtype = self.linear_1.weight.dtype
        years, gsd_m = labels.float().unbind(dim=1)
        horizon = self.sinusoids(years * _YEARS_SCALE).to(dtype)
        resolution = None
        if self.cond_proj is not None:
            octaves = torch.log2(gsd_m.clamp_min(1e-3))
            known = (gsd_m > 0).unsqueeze(1)
            resolution = (self.sinusoids(octaves * _OCTAVE_SCALE) * known).to(dtype)
        embedded: Tensor = super().forward(horizon, resolution)
        return embedded
