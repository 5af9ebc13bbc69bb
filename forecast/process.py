"""The path between data and noise: how training pairs are noised, and which solvers lead back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

__all__ = ["ONE_PASS", "NoiseSchedule", "Objective", "Process", "Sampler"]

Objective = Literal["crps", "mean", "flow", "noise", "velocity"]
NoiseSchedule = Literal["linear", "cosine"]
Sampler = Literal["default", "euler", "ddpm", "ddim", "dpmsolver++", "unipc"]

ONE_PASS: tuple[Objective, ...] = ("crps", "mean")
_TRAINING_STEPS = 1000
_BETAS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
_PREDICTS = {"noise": "epsilon", "velocity": "v_prediction", "flow": "flow_prediction"}
_SOLVERS = {
    "euler": FlowMatchEulerDiscreteScheduler,
    # The same steps as those of `DDPMScheduler`, with eta = 1 (Song et al. 2021, section 4.1), but
    # they take the noise to add.
    "ddpm": DDIMScheduler,
    "ddim": DDIMScheduler,
    "dpmsolver++": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
}


@dataclass(frozen=True)
class Process:
    """A noising process and what the network predicts of it.

    Attributes:
        objective: `noise` (Ho et al. 2020) or `velocity` (Salimans and Ho 2022) of a variance
            preserving diffusion; `flow`, the velocity of a rectified flow (Liu et al. 2022).
            `crps` and `mean` have no process: one pass answers.
        schedule: `linear` (Ho et al. 2020) or `cosine` (Nichol and Dhariwal 2021); not for `flow`.
    """

    objective: Objective
    schedule: NoiseSchedule = "cosine"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("objective", self.objective, get_args(Objective)),
            ("noise_schedule", self.schedule, get_args(NoiseSchedule)),
        ):
            if value not in choices:
                wanted = ", ".join(choices)
                raise ValueError(f"expected {name} to be one of {wanted}, got {value!r}")

        if self.objective == "noise" and self.schedule == "cosine":
            raise ValueError(
                "expected the linear schedule for 'noise', got cosine: at its end nothing is left "
                "of the data, and an error of the noise is blown up; use 'velocity' with it"
            )

    def noised(self, target: Tensor, noise: Tensor, moment: Tensor) -> tuple[Tensor, Tensor]:
        """Go from data towards noise.

        Args:
            target: `(b, c, h, w)` data of unit variance.
            noise: Standard normal, same shape.
            moment: `(b,)` positions on the path, 0 (data) to 1 (noise).

        Returns:
            What the network sees and what it should answer, both like `target`.
        """
        if self.objective == "flow":
            share = moment.view(-1, 1, 1, 1)
            return (1 - share) * target + share * noise, noise - target
        ddpm = self._diffusion(DDPMScheduler)
        step = (moment * _TRAINING_STEPS).long().clamp_max(_TRAINING_STEPS - 1)
        seen = ddpm.add_noise(target, noise, step)
        answer = noise if self.objective == "noise" else ddpm.get_velocity(target, noise, step)
        return seen, answer

    def solver(self, sampler: Sampler, steps: int) -> Any:
        """A scheduler of diffusers, set to so many passes.

        Raises:
            ValueError: The sampler does not know this objective.
        """
        if sampler == "default":
            sampler = "euler" if self.objective == "flow" else "ddim"
        kind = _SOLVERS[sampler]
        if self.objective == "flow":
            if sampler == "euler":
                euler = kind(num_train_timesteps=_TRAINING_STEPS, shift=1.0)
                euler.set_timesteps(sigmas=torch.linspace(1.0, 1.0 / steps, steps).tolist())
                return euler
            if sampler not in ("dpmsolver++", "unipc"):
                raise ValueError(
                    f"expected a sampler of euler, dpmsolver++ or unipc for 'flow', got {sampler!r}"
                )
            solver = kind(
                num_train_timesteps=_TRAINING_STEPS,
                prediction_type="flow_prediction",
                use_flow_sigmas=True,
            )
        elif sampler == "euler":
            raise ValueError(f"expected another sampler for '{self.objective}', got euler")
        else:
            solver = self._diffusion(kind)
        solver.set_timesteps(steps)
        return solver

    def _diffusion(self, kind: Any) -> Any:
        # "trailing" starts at the last training step, where training has seen pure noise.
        extra: dict[str, Any] = {"timestep_spacing": "trailing"}
        if kind in (DDPMScheduler, DDIMScheduler):
            extra["clip_sample"] = False
        return kind(
            num_train_timesteps=_TRAINING_STEPS,
            beta_schedule=_BETAS[self.schedule],
            prediction_type=_PREDICTS[self.objective],
            **extra,
        )
