"""Ensembles of tiles: noise in, members out."""

from __future__ import annotations

import torch
from torch import Tensor

from forecast.objects import settle, share_noise
from forecast.patches import to_low
from forecast.sampling import sample
from forecast.unet import NOISE_CHANNELS, ForecastUNet
from preprocessing.precision import autocast

__all__ = ["predict_tiles"]


@torch.inference_mode()
def predict_tiles(
    model: ForecastUNet,
    past: Tensor,
    years: Tensor,
    *,
    members: int,
    seed: int,
    steps: int | None = None,
) -> Tensor:
    """Forecast single tiles straight to their horizon, without lifting them.

    Args:
        model: In evaluation mode.
        past: `(b, 3, 4h, 4w)`, 0..1.
        years: `(b,)` horizons.
        members: Members, m.
        seed: Of the noise.
        steps: Network passes; the model's own default where None.

    Returns:
        Differences future minus past `(m, b, 3, h, w)` in units of 0..1.
    """
    config = model.config
    device = past.device
    with autocast(device):
        condition = model.condition(past)
        generator = torch.Generator().manual_seed(seed)
        labels = model.objects(to_low(past))
        shape = (len(past), NOISE_CHANNELS, *condition.shape[-2:])

        def denoise(x: Tensor, time: float) -> Tensor:
            output: Tensor = model(x, condition, x.new_full((len(x),), time), years)
            return output

        outputs = []
        for _ in range(members):
            noise = torch.randn(shape, generator=generator).to(device)
            output = sample(
                denoise,
                share_noise(noise, labels),
                objective=config.objective,
                steps=steps or config.sampling_steps,
            )
            outputs.append(settle(output, labels))
    scaled = torch.stack(outputs).float()
    return scaled * float(config.target_scale)
