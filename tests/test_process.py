"""Noising and its way back, with a network that knows the answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from forecast.process import Process
from forecast.sampling import sample

TARGET = torch.linspace(-2, 2, 48).view(1, 3, 4, 4)
BETAS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}


def oracle(process: Process) -> Callable[[Tensor, float], Tensor]:
    """The exact answer of a network where the data are always `TARGET`."""
    alphas = DDPMScheduler(1000, beta_schedule=BETAS[process.schedule]).alphas_cumprod

    def denoise(x: Tensor, time: float) -> Tensor:
        if process.objective == "flow":
            return (x - TARGET) / time
        alpha = alphas[round(time * 1000)]
        noise = (x - alpha.sqrt() * TARGET) / (1 - alpha).sqrt()
        if process.objective == "noise":
            return noise
        return alpha.sqrt() * noise - (1 - alpha).sqrt() * TARGET

    return denoise


def white(number: int = 0) -> Tensor:
    return torch.randn(TARGET.shape, generator=torch.Generator().manual_seed(number))


@pytest.mark.parametrize(
    ("objective", "schedule", "sampler"),
    [
        ("noise", "linear", "ddim"),
        ("noise", "linear", "dpmsolver++"),
        ("noise", "linear", "unipc"),
        ("noise", "linear", "ddpm"),
        ("velocity", "cosine", "default"),
        ("velocity", "cosine", "dpmsolver++"),
        ("velocity", "linear", "unipc"),
        ("flow", "cosine", "default"),
        ("flow", "cosine", "dpmsolver++"),
        ("flow", "cosine", "unipc"),
    ],
)
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_every_solver_reaches_data_that_are_known(objective, schedule, sampler, steps) -> None:
    process = Process(objective, schedule)
    result = sample(oracle(process), white(), process, steps=steps, sampler=sampler, further=white)
    # The last step of a diffusion of 1000 steps leaves noise of about a hundredth.
    torch.testing.assert_close(result, TARGET, atol=0.03, rtol=0)


@pytest.mark.parametrize("objective", ["flow", "noise", "velocity"])
def test_what_is_noised_is_answered_by_the_oracle(objective) -> None:
    process = Process(objective, "linear")
    denoise = oracle(process)
    for moment in (0.25, 0.5, 0.75):
        seen, answer = process.noised(TARGET, white(), torch.tensor([moment]))
        torch.testing.assert_close(denoise(seen, moment), answer, atol=1e-4, rtol=0)


def test_noising_ends_in_noise_and_begins_in_data() -> None:
    for process in (Process("flow"), Process("velocity", "cosine")):
        for moment, end in ((0.0, TARGET), (1.0, white())):
            seen, _ = process.noised(TARGET, white(), torch.tensor([moment]))
            torch.testing.assert_close(seen, end, atol=0.03, rtol=0)


@pytest.mark.parametrize(("objective", "schedule"), [("noise", "linear"), ("velocity", "cosine")])
def test_ddpm_takes_the_steps_of_its_scheduler(objective, schedule) -> None:
    """The scheduler draws its noise from a generator; the same noise is handed over one by one."""
    process = Process(objective, schedule)

    def unsure(x: Tensor, time: float) -> Tensor:
        return 0.5 * x

    kinds = {"noise": "epsilon", "velocity": "v_prediction"}
    solver = DDPMScheduler(
        1000,
        beta_schedule=BETAS[schedule],
        prediction_type=kinds[objective],
        timestep_spacing="trailing",
        clip_sample=False,
    )
    solver.set_timesteps(5)
    generator, x = torch.Generator().manual_seed(1), white()
    for timestep in solver.timesteps:
        x = solver.step(unsure(x, 0.0), timestep, x, generator=generator).prev_sample
    generator = torch.Generator().manual_seed(1)

    def further(number: int) -> Tensor:
        return torch.randn(TARGET.shape, generator=generator)

    result = sample(unsure, white(), process, steps=5, sampler="ddpm", further=further)
    torch.testing.assert_close(result, x, atol=1e-3, rtol=1e-3)
    other = sample(unsure, white(), process, steps=5, sampler="ddpm", further=white)
    assert not torch.allclose(other, x, atol=0.1)
    with pytest.raises(ValueError, match="noise to add"):
        sample(unsure, white(), process, steps=5, sampler="ddpm")


def test_one_pass_models() -> None:
    def echo(x: Tensor, time: float) -> Tensor:
        return x * time

    assert torch.equal(sample(echo, white(), Process("crps"), steps=1), white())
    assert float(sample(echo, white(), Process("mean"), steps=1).abs().max()) == 0
    with pytest.raises(ValueError, match="one step"):
        sample(echo, white(), Process("crps"), steps=2)
    with pytest.raises(ValueError, match="at least one"):
        sample(echo, white(), Process("flow"), steps=0)


@pytest.mark.parametrize(("objective", "sampler"), [("flow", "ddim"), ("noise", "euler")])
def test_samplers_that_do_not_fit_are_refused(objective, sampler) -> None:
    with pytest.raises(ValueError, match=sampler):
        sample(lambda x, time: x, white(), Process(objective, "linear"), steps=2, sampler=sampler)


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(ValueError, match="crps, mean, flow"):
        Process("noisy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="linear, cosine"):
        Process("noise", "square")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="use 'velocity'"):
        Process("noise", "cosine")
