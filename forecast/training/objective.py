"""What the forecaster is trained for: members by the CRPS, the mean, or steps of a diffusion."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from forecast.history import History
from forecast.objects import Segments, settle, share_noise
from forecast.patches import to_low
from forecast.training.config import TrainingConfig
from forecast.training.data import Batch
from forecast.training.losses import masked_mean, multiscale_crps
from forecast.unet import NOISE_CHANNELS, ForecastUNet
from preprocessing.precision import autocast

__all__ = ["TrainingLoss", "first_step", "training_loss"]


class TrainingLoss(nn.Module):
    """`training_loss` as a module, so that several processes can share its gradients."""

    def __init__(self, model: ForecastUNet, config: TrainingConfig) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(self, batch: Batch, step: int) -> Tensor:
        """See `training_loss`."""
        return training_loss(self.model, batch, self.config, step)


def training_loss(model: ForecastUNet, batch: Batch, config: TrainingConfig, step: int) -> Tensor:
    """The loss of one step; its noise depends on the seed and the step alone.

    Args:
        model: In training mode.
        batch: On the device of the model.
        config: Objective, members, views and share of rollouts.
        step: Number of the step.
    """
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    target = batch.difference / model.config.target_scale
    device = target.device
    size = len(target)
    with autocast(device, enabled=config.bfloat16):
        if config.objective == "crps":
            past = batch.past.repeat(config.members, 1, 1, 1)
            years, gsd_m = (v.repeat(config.members) for v in (batch.years, batch.gsd_m))
            history = batch.history.repeat(config.members)
            segments = None if batch.segments is None else batch.segments.repeat(config.members)
            lasting = torch.zeros_like(target).repeat(config.members, 1, 1, 1)
            if float(torch.rand((), generator=generator)) < config.rollout_share:
                first = (years / 2).floor()
                observed = to_low(past, model.factor)
                lasting, past = first_step(model, past, first, gsd_m, generator, history, segments)
                history, segments = history.after(observed, first), None
                years = years - first
            whole, within = _members(model, past, years, gsd_m, generator, history, segments)
            members = lasting + whole + within
            return multiscale_crps(
                members.reshape(config.members, *target.shape),
                target,
                batch.weight,
                pool_scales=config.pool_scales,
                increment_lags=config.increment_lags,
            )
        condition = model.condition(batch.past, batch.history)
        if config.objective == "mean":
            moment, noisy, wanted = target.new_ones(size), torch.zeros_like(target), target
        else:
            noise = torch.randn(target.shape, generator=generator).to(device)
            moment = _moments(size, config, generator).to(device)
            noisy, wanted = model.process.noised(target, noise, moment)
            seen = torch.rand(size, generator=generator) >= config.condition_dropout
            condition = condition * seen.to(condition).view(-1, 1, 1, 1)
        output = model(noisy, condition, moment, batch.years, batch.gsd_m)
    return masked_mean((output - wanted) ** 2, batch.weight)


def _moments(size: int, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    if config.objective == "flow":
        # Logit-normal (Esser et al. 2024): most weight on the middle of the path.
        return torch.sigmoid(torch.randn(size, generator=generator))
    return torch.rand(size, generator=generator)


def _members(
    model: ForecastUNet,
    past: Tensor,
    years: Tensor,
    gsd_m: Tensor,
    generator: torch.Generator,
    history: History | None,
    segments: Segments | None,
) -> tuple[Tensor, Tensor]:
    """One member for each past: scaled differences `(n, 3, h, w)` of objects and of parts."""
    low = to_low(past, model.factor)
    noise = torch.randn((len(past), NOISE_CHANNELS, *low.shape[-2:]), generator=generator)
    regional = torch.randn((len(past), model.config.regional_noise), generator=generator)
    segments = model.segments(low) if segments is None else segments
    output = model(
        share_noise(noise.to(past.device), segments),
        model.condition(past, history),
        past.new_ones(len(past)),
        years,
        gsd_m,
        regional.to(past.device),
    )
    return settle(output, segments)


@torch.no_grad()
def first_step(
    model: ForecastUNet,
    past: Tensor,
    years: Tensor,
    gsd_m: Tensor,
    generator: torch.Generator,
    history: History | None = None,
    segments: Segments | None = None,
) -> tuple[Tensor, Tensor]:
    """A forecast to go on from, without gradients (the push-forward of Brandstetter et al. 2022).

    Args:
        model: In training mode.
        past: `(n, 3, 128, 128)`, 0..1.
        years: `(n,)` horizons of the step.
        gsd_m: `(n,)` metres per pixel, 0 where not known.
        generator: Source of the noise.
        history: Earlier dates. Default: none.
        segments: Objects of the past, where they are known already.

    Returns:
        Scaled differences `(n, 3, h, w)` of whole objects, which the next step goes on from, and
        full-resolution pictures, in which their parts have changed too: the observed detail on
        the moved block means. Items with `years` of zero stay as they are.
    """
    whole, within = _members(model, past, years.clamp_min(1), gsd_m, generator, history, segments)
    moves = (years > 0).view(-1, 1, 1, 1)
    smooth = F.interpolate(
        (whole + within) * moves, scale_factor=float(model.factor), mode="bilinear"
    )
    return whole * moves, (past + smooth * model.config.target_scale).clamp(0, 1)
