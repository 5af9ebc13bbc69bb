"""From noise to a scaled difference: the network passes of a forecast, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from forecast.process import ONE_PASS, Process, Sampler

__all__ = ["Denoise", "sample"]

_TIMES = 1000.0

Denoise = Callable[[Tensor, float], Tensor]


def sample(
    denoise: Denoise,
    noise: Tensor,
    process: Process,
    *,
    steps: int,
    sampler: Sampler = "default",
    seed: int = 0,
) -> Tensor:
    """Turn noise into a scaled difference.

    Models of one pass (`crps`, `mean`) are called once, at time 1; `mean` sees no noise. Others
    are integrated from noise to data by a scheduler of diffusers.

    Args:
        denoise: `(x, time) -> network output`, of any spatial size. For a region it fuses the
            outputs of overlapping tiles, so fusion happens at every step.
        noise: Standard normal, any shape.
        process: What the network was trained on.
        steps: Network passes, at least 1.
        sampler: Solver; `default` is Euler for `flow` and DDIM for diffusions.
        seed: Of the noise that `ddpm` adds on the way.

    Returns:
        Scaled difference of the shape of `noise`.

    Raises:
        ValueError: `steps` is below 1, or above 1 for a one-pass model; a sampler that does not
            fit.
    """
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}")
    if process.objective in ONE_PASS:
        if steps != 1:
            raise ValueError(f"a model of '{process.objective}' takes one step, got {steps}")
        return denoise(torch.zeros_like(noise) if process.objective == "mean" else noise, 1.0)
    solver = process.solver(sampler, steps)
    extra = {}
    if sampler == "ddpm":
        extra["generator"] = torch.Generator(noise.device).manual_seed(seed)
    x = noise
    for timestep in solver.timesteps:
        output = denoise(x, float(timestep) / _TIMES)
        x = solver.step(output, timestep, x, return_dict=False, **extra)[0]
    return x
