"""Scores of a network on whole places while it trains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.crps import fair_crps
from forecast.evaluation.scores.roc import area_under_curve
from forecast.network.patches import FACTOR, TILE_PX
from forecast.network.unet import ChangeUNet
from forecast.training.hurdle_loss import noise_of
from forecast.training.place_tensors import Ground
from forecast.training.training_samples import gather
from preprocessing.running.precision import autocast

__all__ = ["Case", "PlaceScore", "score_place"]

_CELLS = TILE_PX // FACTOR
_STRIDE = 16
_MEMBERS = 6


@dataclass(frozen=True)
class Case:
    """A place, two of its dates and the number of their label."""

    name: str
    place: int
    start: int
    end: int
    label: int


@dataclass(frozen=True)
class PlaceScore:
    """Of one case; None where it cannot be known.

    Attributes:
        auc: Of the probability of change.
        area: Expected over true area of change.
        brier: Skill over the true share of changed cells.
        look: One less the ratio of the fair CRPS of looks on changed cells to the mean absolute
            change there.
    """

    auc: float | None
    area: float | None
    brier: float | None
    look: float | None


@torch.no_grad()
def score_place(model: ChangeUNet, ground: Ground, case: Case, *, history: bool) -> PlaceScore:
    """Forecast a place in half-overlapping tiles and compare with what came."""
    device = ground.pixels.device
    height, width = int(ground.height[case.place]), int(ground.width[case.place])
    tops = sorted({*range(0, height - _CELLS, _STRIDE), height - _CELLS})
    lefts = sorted({*range(0, width - _CELLS, _STRIDE), width - _CELLS})
    corners = [(top, left) for top in tops for left in lefts]
    rows = torch.tensor(
        [[case.place, case.start, case.end, case.label, *corner] for corner in corners],
        device=device,
    )
    sums = torch.zeros((2 + 3 * _MEMBERS, height, width))
    once = torch.zeros((9, height, width))
    generator = torch.Generator(device=device).manual_seed(0)
    ramp = torch.hann_window(_CELLS + 2, periodic=False)[1:-1]
    window = ramp[:, None] * ramp
    for begin in range(0, len(rows), 32):
        part = rows[begin : begin + 32]
        item = gather(ground, part, part.new_ones(len(part)).float(), None, generator)
        if not history:
            earlier = item.earlier.without(torch.ones_like(item.earlier.ago, dtype=torch.bool))
            item = type(item)(**{**item.__dict__, "earlier": earlier})
        with autocast(device):
            condition = model.condition(item.past, item.tone, item.earlier)
            chances, looks = [], []
            for _ in range(_MEMBERS):
                noise, regional = noise_of(
                    len(part), _CELLS, int(model.config.regional_noise), generator
                )
                regional[:] = regional[:1]
                answer = model(noise, condition, item.tone, item.years, item.gsd_m, regional)
                chances.append(torch.sigmoid(answer.change))
                looks.append(answer.look)
        present = F.avg_pool2d(item.past, FACTOR)
        fields = torch.cat([torch.stack(chances).mean(dim=0), *looks], dim=1).cpu()
        facts = torch.cat(
            [item.change, item.labelled, item.seen, present, item.future], dim=1
        ).cpu()
        for k, (_, _, _, _, top, left) in enumerate(part.tolist()):
            at = (slice(None), slice(top, top + _CELLS), slice(left, left + _CELLS))
            sums[:-1][at] += fields[k] * window
            sums[-1:][at] += window
            once[at] = facts[k]
    blended = sums[:-1] / sums[-1:].clamp_min(1e-6)
    chance = blended[0]
    looks_of = blended[1:].view(_MEMBERS, 3, height, width)
    change, labelled, seen = once[0], once[1] > 0, once[2] > 0
    difference = once[6:9] - once[3:6]
    event = (change > 0.5)[labelled].numpy()
    predicted = chance[labelled].numpy()
    rate = float(event.mean()) if len(event) else 0.0
    changed = labelled & seen & (change > 0.5)
    known = rate > 0
    look = None
    if int(changed.sum()) > 10:
        size = float(difference[:, changed].abs().mean())
        look = 1 - _mean_crps(looks_of, difference, changed) / size
    return PlaceScore(
        auc=area_under_curve(event, predicted),
        area=float(predicted.mean() / rate) if known else None,
        brier=float(1 - ((predicted - event) ** 2).mean() / (rate * (1 - rate))) if known else None,
        look=look,
    )


def _mean_crps(members: Tensor, truth: Tensor, where: Tensor) -> float:
    return float(fair_crps(members[:, :, where], truth[:, where]).mean())
