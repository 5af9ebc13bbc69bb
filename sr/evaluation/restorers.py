"""What is compared: ways from a low-resolution tile to the full resolution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sr.lift.block_means import consistent
from sr.network.inference import upscale_batch
from sr.network.rrdb import RRDBNet, bicubic_upsample

__all__ = [
    "BICUBIC",
    "CONSISTENT",
    "LANCZOS",
    "NETWORK",
    "PERSISTENCE",
    "lanczos_upsample",
    "restore_all",
]

NETWORK, CONSISTENT = "network", "network, consistent"
BICUBIC, LANCZOS, PERSISTENCE = "bicubic", "Lanczos", "persistence"

_SCALE = 4


def restore_all(network: RRDBNet, observed: Tensor, low: Tensor) -> Mapping[str, Tensor]:
    """Restore the later date of pairs in every way.

    Args:
        network: In evaluation mode.
        observed: `(b, 3, 4h, 4w)` float32, 0..1: the earlier date.
        low: `(b, 3, h, w)`: means of the later date over 4x4 pixels.

    Returns:
        Pictures `(b, 3, 4h, 4w)` by name, clipped to 0..1. `network`, `bicubic` and `Lanczos` see
        `low` only; `network, consistent` has its block means; `persistence` is `observed`.
    """
    upscaled = upscale_batch(network, low)
    found = {
        NETWORK: upscaled,
        CONSISTENT: consistent(upscaled, low),
        BICUBIC: bicubic_upsample(low, _SCALE),
        LANCZOS: lanczos_upsample(low),
        PERSISTENCE: observed,
    }
    return {name: picture.clamp(0, 1) for name, picture in found.items()}


def lanczos_upsample(low: Tensor) -> Tensor:
    """Enlarge `(b, c, h, w)` by four with Pillow's Lanczos kernel (three lobes), unclipped."""
    size = (_SCALE * low.shape[-1], _SCALE * low.shape[-2])
    bands = [
        np.asarray(Image.fromarray(band).resize(size, Image.Resampling.LANCZOS))
        for band in low.float().flatten(0, 1).numpy()
    ]
    return torch.from_numpy(np.stack(bands)).view(*low.shape[:2], size[1], size[0])
