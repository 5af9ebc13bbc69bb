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
_CHANGED = 0.5
"""A label above is a change. Labels are probabilities learnt in worlds, where more ground changes
than on real ground; their mean says two times too much there."""


@torch.no_grad()
def calibrate(
    model: ChangeUNet, items: Iterable[Item], alike: Iterable[Item], generator: torch.Generator
) -> None:
    """Fit the weights of `occurrence_columns` (Platt 1999, with two columns more).

    How occurrence goes with what the network drew and with calm ground is learnt from all items;
    how much changes, and how that grows with the years, from items of which every dataset has as
    many. Each item is counted by its weight.

    Args:
        model: In evaluation mode; its `calibration` is set.
        items: Of the training places, as the network was trained on.
        alike: Likewise, with every dataset counting alike.
        generator: Of the noise.
    """
    first = _fitted(*_rows(model, items, generator), torch.ones(4))
    shown, labels, weights = _rows(model, alike, generator)
    free = torch.tensor([0.0, 1.0, 1.0, 0.0])
    model.calibration.copy_(_fitted(shown, labels, weights, free, first))


def _rows(
    model: ChangeUNet, items: Iterable[Item], generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Columns `(n, 4)`, whether the cell changed and weight, of all cells that have a label."""
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
        labels.append((item.change[known] > _CHANGED).float())
        weights.append(item.weight.view(-1, 1, 1, 1).expand_as(item.change)[known])
    return torch.cat(columns), torch.cat(labels), torch.cat(weights)


@torch.enable_grad()
def _fitted(
    shown: Tensor, labels: Tensor, weights: Tensor, free: Tensor, start: Tensor | None = None
) -> Tensor:
    """Logistic regression of columns `(n, 4)`; those that are not free (0) keep their start."""
    begun = shown.new_tensor([1.0, 0.0, 0.0, 0.0]) if start is None else start
    free = free.to(shown.device)
    step = torch.zeros_like(begun, requires_grad=True)
    optimizer = torch.optim.LBFGS([step], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(
            shown @ (begun + free * step),
            labels,
            weight=weights / weights.sum(),
            reduction="sum",
        )
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return (begun + free * step).detach()
