"""From noise to a scaled difference: the network passes of a forecast, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from forecast.process import ONE_PASS, Process, Sampler

__all__ = ["Denoise", "sample"]

_TIMES = 1000.0
# At 1 exactly rounding gives the root of a negative number where nothing is left of the data.
_DDPM_ETA = 1 - 1e-6

Denoise = Callable[[Tensor, float], Tensor]


def sample(
    denoise: Denoise,
    noise: Tensor,
    process: Process,
    *,
    steps: int,
    sampler: Sampler = "default",
    further: Callable[[int], Tensor] | None = None,
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
        further: Noise that `ddpm` adds after a pass, by number of the pass, 1 and up: standard
            normal, of the shape of `noise`. It needs one.

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
    x = noise
    for number, timestep in enumerate(solver.timesteps, start=1):
        output = denoise(x, float(timestep) / _TIMES)
        extra: dict[str, Any] = {}
        if sampler == "ddpm":
            if further is None:
                raise ValueError("expected noise to add on the way for 'ddpm', got none")
            extra = {"eta": _DDPM_ETA, "variance_noise": further(number).to(x)}
        x = solver.step(output, timestep, x, return_dict=False, **extra)[0]
    return x
