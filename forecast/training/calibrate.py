"""From log odds among tiles as training draws them to those of the ground."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.network.unet import ChangeUNet, occurrence_columns
from forecast.training.draws import Item
from forecast.training.hurdle_loss import noise_of
from preprocessing.precision import autocast

__all__ = ["calibrate"]

_ITERATIONS = 60


@torch.no_grad()
def calibrate(model: ChangeUNet, items: Iterable[Item], generator: torch.Generator) -> None:
    """Fit the weights of `occurrence_columns` (Platt 1999, with two columns more).

    Each item is counted by its weight.

    Args:
        model: In evaluation mode; its `calibration` is set.
        items: Of the training places.
        generator: Of the noise.
    """
    columns, labels, weights = [], [], []
    for item in items:
        with autocast(model.device):
            condition = model.condition(item.past, item.tone, item.earlier)
            noise, regional = noise_of(
                len(item.past), item.future.shape[-1], int(model.config.regional_noise), generator
            )
            answer = model(noise, condition, item.tone, item.years, item.gsd_m, regional)
        known = item.labelled > 0
        told = occurrence_columns(answer.drawn, condition, item.years)
        columns.append(told.movedim(1, -1)[known[:, 0]])
        labels.append(item.change[known])
        weights.append(item.weight.view(-1, 1, 1, 1).expand_as(item.change)[known])
    model.calibration.copy_(_fitted(torch.cat(columns), torch.cat(labels), torch.cat(weights)))


@torch.enable_grad()
def _fitted(shown: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Logistic regression of columns `(n, 4)`."""
    found = torch.tensor([1.0, 0.0, 0.0, 0.0], device=shown.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(
            shown @ found,
            labels,
            weight=weights / weights.sum(),
            reduction="sum",
        )
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return found.detach()
