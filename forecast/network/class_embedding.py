"""Embedding of horizon, resolution and regional noise, which a picture does not show."""

from __future__ import annotations

import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn

__all__ = ["ClassEmbedding", "class_labels"]

_YEARS_SCALE = 10.0
_OCTAVE_SCALE = 10.0
"""One year, or one halving of the resolution, moves the quickest sinusoid by ten radians."""


def class_labels(years: Tensor, gsd_m: Tensor | None, regional: Tensor) -> Tensor:
    """Labels of a batch.

    Args:
        years: `(b,)` horizons.
        gsd_m: `(b,)` metres per pixel, 0 where not known; None where none is.
        regional: `(b, k)` standard normal noise that the whole picture shares.

    Returns:
        `(b, 2 + k)`.
    """
    unknown = torch.zeros_like(years)
    known = unknown if gsd_m is None else gsd_m.to(years).nan_to_num(0.0)
    return torch.cat([torch.stack([years, known], dim=1), regional.to(years)], dim=1)


class ClassEmbedding(TimestepEmbedding):  # type: ignore[misc]  # diffusers ships no types
    """Sinusoids of the horizon, to which those of the resolution are added, then two layers.

    Noise that the whole picture shares is added by a layer of its own, as in functional generative
    networks (Alet et al. 2025).

    Takes the place of the class embedding of `UNet2DModel`. An unknown resolution adds nothing.

    Args:
        channels: Sinusoids of each.
        embedding: Width of the embedding.
        regional: Values of noise that the whole picture shares.
    """

    def __init__(self, channels: int, embedding: int, *, regional: int) -> None:
        super().__init__(channels, embedding, cond_proj_dim=channels)
        self.sinusoids = Timesteps(channels, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.regional = nn.Linear(regional, embedding, bias=False)
        nn.init.zeros_(self.cond_proj.weight)  # At first the resolution says nothing.

    def forward(self, labels: Tensor) -> Tensor:
        """Embed labels `(b, 2 + k)` from `class_labels`: `(b, embedding)`."""
        dtype = self.linear_1.weight.dtype
        years, gsd_m = labels[:, :2].float().unbind(dim=1)
        horizon = self.sinusoids(years * _YEARS_SCALE).to(dtype)
        octaves = torch.log2(gsd_m.clamp_min(1e-3))
        known = (gsd_m > 0).unsqueeze(1)
        resolution = (self.sinusoids(octaves * _OCTAVE_SCALE) * known).to(dtype)
        embedded: Tensor = super().forward(horizon, resolution)
        shared: Tensor = self.regional(labels[:, 2:].to(dtype))
        return embedded + shared
