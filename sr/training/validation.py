"""PSNR of a network on held-out places, beside bicubic interpolation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from preprocessing.running.precision import autocast
from sr.network.rrdb import RRDBNet, bicubic_upsample
from sr.network.texture_features import TextureFeatures
from sr.network.vgg19 import VGG19Features
from sr.training.degradations import Degradation
from sr.training.samples import Images
from sr.upscale.fidelity import gradient_ratio, psnr_db

__all__ = ["Scores", "validate"]

_BATCH = 8


@dataclass(frozen=True)
class Scores:
    """Means over tiles, of all tiles and per data set.

    Attributes:
        bicubic_psnr_db: PSNR of bicubic upsampling.
        model_psnr_db: PSNR of the network.
        bicubic_gradient_ratio: Gradient energy of bicubic over that of the truth.
        model_gradient_ratio: The same of the network: 1 is as sharp as the truth.
        bicubic_distance: Distance of bicubic to the truth by the features of the perceptual loss;
            NaN without them.
        model_distance: The same of the network.
        gain_db: Model minus bicubic PSNR per data set.
    """

    bicubic_psnr_db: float
    model_psnr_db: float
    bicubic_gradient_ratio: float
    model_gradient_ratio: float
    bicubic_distance: float
    model_distance: float
    gain_db: dict[str, float]


@torch.no_grad()
def validate(
    network: RRDBNet,
    images: Images,
    degradation: Degradation,
    *,
    seed: int = 0,
    judge: TextureFeatures | VGG19Features | None = None,
) -> Scores:
    """Score 4x upscaling of degraded tiles; the network is left in its mode.

    Args:
        network: On any device.
        images: The truth.
        degradation: What is made of it; the same each time.
        seed: Of the degradation.
        judge: Features whose distance is scored too.
    """
    training = network.training
    network.eval()
    device = next(network.parameters()).device
    rows = []
    for start in range(0, len(images), _BATCH):
        part = np.arange(start, min(start + _BATCH, len(images)))
        tiles = torch.from_numpy(images.read(part)).to(device).float() / 255
        generator = torch.Generator().manual_seed(seed * 1_000_003 + start)
        low = degradation(tiles, generator).to(device)
        with autocast(device):
            model = network(low.contiguous(memory_format=torch.channels_last)).float()
        model, bicubic = model.clamp(0, 1), bicubic_upsample(low, network.scale).clamp(0, 1)
        scores = [
            score(image, tiles) for score in (psnr_db, gradient_ratio) for image in (bicubic, model)
        ]
        if judge is not None:
            scores += [
                torch.stack(
                    [judge.distance(tiles[i : i + 1], image[i : i + 1]) for i in range(len(tiles))]
                )
                for image in (bicubic, model)
            ]
        rows.append(torch.stack([score.double() for score in scores], dim=1))
    network.train(training)
    table = torch.cat(rows).cpu().numpy()
    gain = table[:, 1] - table[:, 0]
    per_set = {str(n): float(gain[images.dataset == n].mean()) for n in np.unique(images.dataset)}
    means = [float(value) for value in table.mean(axis=0)]
    distances = means[4:] or [math.nan, math.nan]
    return Scores(means[0], means[1], means[2], means[3], distances[0], distances[1], per_set)
