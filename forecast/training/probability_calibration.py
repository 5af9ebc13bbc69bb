"""From log odds among tiles as training draws them to those of the ground."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.network.unet import UNCALIBRATED, ChangeUNet, occurrence_columns
from forecast.training.hurdle_loss import noise_of
from forecast.training.training_samples import Item
from preprocessing.running.precision import autocast

__all__ = ["CellRows", "calibrate", "fitted"]

_ITERATIONS = 60
_SLOPES, _OFFSET = (1.0, 0.0, 1.0, 1.0, 0.0), (0.0, 1.0, 0.0, 0.0, 0.0)
"""Which weights of the columns are fitted."""
_INTERCEPT, _RIDGE = -4.0, 1e-4


@torch.no_grad()
def calibrate(
    model: ChangeUNet, items: Iterable[Item], alike: Iterable[Item], generator: torch.Generator
) -> None:
    """Fit the weights of `occurrence_columns` (Platt 1999, with three columns more).

    How occurrence goes with what the network drew, with calm ground and with the years is learnt
    within places, each of which has an intercept of its own: places differ far more in how much
    changes than these can tell. The offset then is that of items of which every dataset has as
    many, without what past change tells: that moves change within a region alone. Each item is
    counted by its weight.

    Args:
        model: In evaluation mode; its `calibration` is set.
        items: Of the training places, as the network was trained on.
        alike: Likewise, with every dataset counting alike.
        generator: Of the noise.
    """
    within = fitted(_rows(model, items, generator), torch.tensor(UNCALIBRATED), _SLOPES)
    even = replace(_rows(model, alike, generator, past=False), place=None)
    model.calibration.copy_(fitted(even, within, _OFFSET))


@dataclass(frozen=True)
class CellRows:
    """Cells with a label: columns `(n, 5)`, probability of change, weight and place `(n,)`."""

    columns: Tensor
    changed: Tensor
    weight: Tensor
    place: Tensor | None


def _rows(
    model: ChangeUNet, items: Iterable[Item], generator: torch.Generator, *, past: bool = True
) -> CellRows:
    columns, labels, weights, places = [], [], [], []
    for item in items:
        with autocast(model.device):
            condition = model.condition(item.past, item.tone, item.earlier)
            noise, regional = noise_of(
                len(item.past), item.future.shape[-1], int(model.config.regional_noise), generator
            )
            answer = model(noise, condition, item.tone, item.years, item.gsd_m, regional)
        known = item.labelled > 0
        drawn = answer.drawn if past else answer.drawn - model.by_past_change(condition)
        here = occurrence_columns(drawn, condition, item.tone, item.years)
        columns.append(here.movedim(1, -1)[known[:, 0]])
        labels.append(item.change[known])
        weights.append(item.weight.view(-1, 1, 1, 1).expand_as(item.change)[known])
        places.append(item.place.view(-1, 1, 1, 1).expand_as(item.change)[known])
    return CellRows(torch.cat(columns), torch.cat(labels), torch.cat(weights), torch.cat(places))


@torch.enable_grad()
def fitted(rows: CellRows, start: Tensor, free: tuple[float, ...]) -> Tensor:
    """Logistic regression; weights of columns that are not free (0) keep their start."""
    begun, mask = (rows.columns.new_tensor(v) for v in (start.tolist(), free))
    step = torch.zeros_like(begun, requires_grad=True)
    parameters, own = [step], begun.new_zeros(1)
    number = torch.zeros_like(rows.changed, dtype=torch.long)
    if rows.place is not None:
        known, number = torch.unique(rows.place, return_inverse=True)
        own = torch.full((len(known),), _INTERCEPT, device=begun.device, requires_grad=True)
        parameters.append(own)
    optimizer = torch.optim.LBFGS(parameters, max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(
            rows.columns @ (begun + mask * step) + own[number],
            rows.changed,
            weight=rows.weight / rows.weight.sum(),
            reduction="sum",
        )
        # Where nothing changed, or a column tells all, there would be no finite weight.
        distant = (own - _INTERCEPT).square().mean() + (mask * step).square().sum()
        loss = loss + _RIDGE * distant
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return (begun + mask * step).detach()
