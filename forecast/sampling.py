"""From noise to a scaled difference: the network passes of a forecast, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from forecast.unet import Objective

__all__ = ["Denoise", "sample"]

Denoise = Callable[[Tensor, float], Tensor]


def sample(denoise: Denoise, noise: Tensor, *, objective: Objective, steps: int) -> Tensor:
    """Turn noise into a scaled difference.

    With the objective `crps` this is one call of `denoise`. With `flow` it is the Euler
    integration of a rectified flow (Liu et al. 2022; Lipman et al. 2022) from time 1 to 0.

    Args:
        denoise: `(x, time) -> network output`, of any spatial size. For a region it fuses the
            outputs of overlapping tiles, so fusion happens at every step.
        noise: Standard normal, any shape.
        objective: What the network predicts.
        steps: Network passes, at least 1.

    Returns:
        Scaled difference of the shape of `noise`.

    Raises:
        ValueError: `steps` is below 1, or above 1 for a one-pass model.
    """
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}")
    if objective == "crps":
        if steps != 1:
            raise ValueError(f"a model trained by CRPS takes one step, got {steps}")
        return denoise(noise, 1.0)
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0)
    scheduler.set_timesteps(sigmas=torch.linspace(1.0, 1.0 / steps, steps).tolist())
    x = noise
    for timestep in scheduler.timesteps:
        velocity = denoise(x, float(timestep) / 1000.0)
        x = scheduler.step(velocity, timestep, x, return_dict=False)[0]
    return x
