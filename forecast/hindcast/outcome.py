"""One forecast of the past held to what then came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.crps import fair_crps
from forecast.evaluation.scores.dressed import dressed_crps
from forecast.evaluation.scores.roc import area_under_curve
from forecast.hindcast.intervals import sampled_blocks
from forecast.hindcast.past import Past
from forecast.network.conditions import RULES, TEXTURE_CHANNEL
from forecast.region.ground import Ground
from forecast.region.member import MemberPaths
from forecast.region.windows import in_pixels
from forecast.summary import between_cells, expected_state
from preprocessing.rasters.window import Window
from preprocessing.tiles.cells import cell_means

__all__ = ["Outcome", "outcome"]


@dataclass(frozen=True)
class Outcome:
    """Scores of a forecast from one date to a later one, on cells of 4 x 4 pixels.

    Attributes:
        start: Date of the start, as ISO text.
        horizon: Horizon in years that it stands for.
        years: Its own horizon.
        dates: Dates that were known, the start among them.
        weight: Share of what the place's own past taught, see `Ground.weight`.
        auc: Of the probability of lasting change; None where too little changed. `auc_before` of
            "where it changed before", `auc_texture` of texture.
        expected: Share of the cells expected to change; `changed` did.
        brier: Mean square error of the probability. Of "nothing changes" it is `changed`.
        mse: Mean square error of `expected_state`, values of 0..1; `mse_still` of the present.
        crps: Fair CRPS of the observations, values of 0..1; `crps_still` of dressed persistence.
    """

    start: str
    horizon: int
    years: float
    dates: int
    weight: float
    auc: float | None
    auc_before: float | None
    auc_texture: float | None
    expected: float
    changed: float
    brier: float
    mse: float
    mse_still: float
    crps: float
    crps_still: float

    def rounded(self) -> dict[str, Any]:
        """For a file: six digits."""
        return {
            key: float(f"{value:.6g}") if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def outcome(
    past: Past,
    start: int,
    end: int,
    ground: Ground,
    members: Sequence[MemberPaths],
    year: int,
    *,
    date: str,
    horizon: int,
) -> Outcome | None:
    """Hold a forecast to what came, on a bounded sample of the region's blocks.

    Args:
        past: From `read_truth`.
        start: Position of the start.
        end: Position of the later date.
        ground: What the forecast started from.
        members: What it left, observations among it.
        year: Calendar year of the forecast.
        date: Of the start, as ISO text.
        horizon: That it stands for.

    Returns:
        None where no cell tells.
    """
    zeros = ground.zeros
    changes = [member.open_changes(ground, year).probability(zeros=zeros) for member in members]
    probability = np.asarray(np.mean(changes, axis=0), np.float32)
    maps = (probability, *(ground.view.conditions[c] for c in (RULES[0][0], TEXTURE_CHANNEL)))
    events, ranked, presents, truths, means, seen = [], [], [], [], [], []
    for window in sampled_blocks(past):
        here = past.block(window.slices)
        changed, known = here.changed(start, end)
        events.append(changed[known])
        ranked.append(np.stack([np.asarray(m[window.slices], np.float32)[known] for m in maps]))
        both = here.known[start] & here.known[end]
        presents.append(ground.cells[(slice(None), *window.slices)][:, both])
        truths.append(here.cells[end].clip(0, 1)[:, both])
        start_here, states = _states(ground, members, year, window)
        chance = between_cells(probability, in_pixels(window))
        means.append(cell_means(expected_state(start_here, states, chance))[:, both])
        differences = np.stack([_part(member.seen(year), window) for member in members])
        seen.append((cell_means(states) + differences)[..., both])
    event, (p, before, texture) = np.concatenate(events), np.concatenate(ranked, axis=1)
    present, truth = np.concatenate(presents, axis=1), np.concatenate(truths, axis=1)
    if not len(event) or not truth.size:
        return None
    observed = np.concatenate(seen, axis=2).clip(0, 1)
    crps = fair_crps(torch.from_numpy(observed), torch.from_numpy(truth)).mean()
    return Outcome(
        start=date,
        horizon=horizon,
        years=float(past.years[end] - past.years[start]),
        dates=len(ground.earlier.years) + 1,
        weight=ground.weight,
        auc=area_under_curve(event, p),
        auc_before=area_under_curve(event, before),
        auc_texture=area_under_curve(event, texture),
        expected=float(p.mean()),
        changed=float(event.mean()),
        brier=float(((p - event) ** 2).mean()),
        mse=_square(np.concatenate(means, axis=1) - truth),
        mse_still=_square(present - truth),
        crps=float(crps),
        crps_still=dressed_crps(255 * (truth - present)) / 255,
    )


def _part(path: Path, window: Window) -> NDArray[Any]:
    return np.array(np.load(path, mmap_mode="r")[(slice(None), *window.slices)])


def _states(
    ground: Ground, members: Sequence[MemberPaths], year: int, window: Window
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixels of a window of cells, 0..1: `(3, h, w)` of the start and `(m, 3, h, w)` of members."""
    at, decode = (slice(None), *in_pixels(window).slices), ground.encoding.decode
    states = [decode(member.open_state(ground, year)[at]) for member in members]
    return decode(ground.stored[at]), np.stack(states)


def _square(difference: NDArray[np.float32]) -> float:
    return float((difference.astype(np.float64) ** 2).mean())
