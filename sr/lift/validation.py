"""Scores of a guided network on held-out pairs, beside the detail of today carried along."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from preprocessing.running.precision import autocast
from sr.lift.block_means import upsample_consistently
from sr.lift.network import GuidedRRDBNet
from sr.network.texture_features import TextureFeatures
from sr.training.degradations import area_downsample
from sr.upscale.fidelity import gradient_ratio, psnr_db

__all__ = ["GuidedScores", "validate_guided"]

_BATCH = 32


@dataclass(frozen=True)
class GuidedScores:
    """Means over tiles, given the true 4x4 means of the later date.

    Attributes:
        carried_psnr_db: PSNR of today plus the change, smoothly upsampled.
        model_psnr_db: PSNR of the network.
        model_gradient_ratio: Its gradient energy over the truth's.
        carried_distance: Distance of texture features of today plus the change.
        model_distance: The same of the network.
    """

    carried_psnr_db: float
    model_psnr_db: float
    model_gradient_ratio: float
    carried_distance: float
    model_distance: float


@torch.no_grad()
def validate_guided(
    network: GuidedRRDBNet, tiles: Tensor, *, judge: TextureFeatures
) -> GuidedScores:
    """Score the lift of earlier to later dates.

    Args:
        network: On any device; left in its mode.
        tiles: `(n, 2, 3, side, side)` uint8 on the same device: earlier and later date.
        judge: Features whose distance is scored.
    """
    training = network.training
    network.eval()
    rows = []
    for part in torch.split(tiles, _BATCH):
        observed, later = (part.float() / 255).unbind(dim=1)
        present, future = area_downsample(observed, 4), area_downsample(later, 4)
        with autocast(tiles.device):
            model = network(observed, present, future)
        carried = observed + upsample_consistently(future - present)
        model, carried = model.clamp(0, 1), carried.clamp(0, 1)
        scores = [
            psnr_db(carried, later),
            psnr_db(model, later),
            gradient_ratio(model, later),
            judge.distances(later, carried),
            judge.distances(later, model),
        ]
        rows.append(torch.stack([score.double() for score in scores], dim=1))
    network.train(training)
    return GuidedScores(*(float(value) for value in torch.cat(rows).mean(dim=0)))
