"""What forecasts of a region were worth on its own past, and how far its own past may teach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from forecast.evaluation.scores.roc import area_under_curve
from forecast.hindcast.features import block_features
from forecast.hindcast.intervals import sampled_blocks
from forecast.hindcast.occurrence import LocalOccurrence
from forecast.hindcast.past import Past
from forecast.hindcast.quantity import Quantity, with_mean
from forecast.network.conditions import RULES, TEXTURE_CHANNEL
from forecast.region.windows import strips
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros
from preprocessing.running.executor import in_threads

__all__ = [
    "LEAST_DATES",
    "UNTOLD",
    "HindcastSkill",
    "combined_probability",
    "held_out",
    "hindcast",
]

LEAST_DATES = 6
"""Dates from which a part can be held out of what is learnt."""
UNTOLD = 0.5
"""How far a region's past is trusted where no hindcast tells."""
_YEARS = 3.0
_LEAST = 1e-3
_MARGIN = 1.02
"""How much worse the place's past may look on one interval before the general model is believed."""
General = Callable[[int, float], NDArray[np.float32]]


@dataclass(frozen=True)
class HindcastSkill:
    """Of the latest forecast of a region's past that nothing was fitted on.

    Attributes:
        years_ago: Its start, in years before the start of the forecast.
        years: Its horizon.
        trust: How far the region's past is to be trusted: 0, 1/2 or 1, whichever was best; 1/2
            where too little had changed by then to learn from.
        weight: Share of what the region's past taught by then in the log odds: trust times the
            share of change beyond chance. The general model has the rest.
        auc: Of the mixture of both; None where too little changed. `auc_general` of the general
            model, `auc_before` of "where it changed before", `auc_texture` of texture.
        expected: Share of the cells expected to change; `changed` did.
        log_loss: Of the mixture, mean over horizons of about a year and of `years`;
            `log_loss_general` of the general model.
    """

    years_ago: float
    years: float
    trust: float
    weight: float
    auc: float | None
    auc_general: float | None
    auc_before: float | None
    auc_texture: float | None
    expected: float
    changed: float
    log_loss: float
    log_loss_general: float

    def rounded(self) -> dict[str, Any]:
        """For a file."""
        return {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def held_out(years: NDArray[np.float64]) -> tuple[int, int] | None:
    """Dates of the hindcast that nothing is fitted on: some three years, as late as can be.

    Two dates tell what lasted; the dates up to its start allow a fit.
    """
    if len(years) < LEAST_DATES:
        return None
    end = len(years) - 2
    starts = np.arange(LEAST_DATES - 3, end)
    return int(starts[np.abs(years[end] - years[starts] - _YEARS).argmin()]), end


def hindcast(
    past: Past, general: General, *, seed: int = 0, threads: int = 1
) -> HindcastSkill | None:
    """Forecast a part of the past from what was known before, and compare with what came.

    Args:
        past: Up to the start of the forecast.
        general: The probability `(h, w)` of the model itself, from a date and so many years on; it
            may use no later date.
        seed: Of the fit.
        threads: Blocks that are looked at side by side.

    Returns:
        None where the dates are too few.
    """
    dates = held_out(past.years)
    if dates is None:
        return None
    start, end = dates
    until = past.until(start)
    local = LocalOccurrence.fit(until, seed=seed, threads=threads)
    quantity = Quantity.of(until, threads=threads)
    ahead = past.years[start + 1 : end + 1] - past.years[start]
    first = start + 1 + int(np.abs(ahead - 1).argmin())
    looks = [
        _look(past, until, local, quantity, general, one, threads) for one in sorted({first, end})
    ]
    if not len(looks[-1].event):
        return None
    lasting = 0.0 if local is None or quantity is None else quantity.lasting
    losses = {
        trust: float(np.mean([_log_loss(x.event, x.combined(trust * lasting)) for x in looks]))
        for trust in (0.0, UNTOLD, 1.0)
    }
    trust = min((UNTOLD, 1.0), key=lambda trust: losses[trust])
    if losses[trust] > _MARGIN * losses[0.0]:
        trust = 0.0
    weight, last = trust * lasting, looks[-1]
    return HindcastSkill(
        years_ago=float(past.years[-1] - past.years[start]),
        years=float(past.years[end] - past.years[start]),
        trust=trust,
        weight=weight,
        auc=area_under_curve(last.event, last.combined(weight)),
        auc_general=area_under_curve(last.event, last.general),
        auc_before=area_under_curve(last.event, last.before),
        auc_texture=area_under_curve(last.event, last.texture),
        expected=float(last.combined(weight).mean()),
        changed=float(last.event.mean()),
        log_loss=losses[trust],
        log_loss_general=losses[0.0],
    )


@dataclass(frozen=True)
class _Look:
    """What was forecast for cells and what came, each `(n,)`."""

    event: NDArray[np.bool_]
    general: NDArray[np.float32]
    taught: NDArray[np.float32]
    before: NDArray[np.floating]
    texture: NDArray[np.floating]
    quantity: Quantity | None
    years: float

    def combined(self, weight: float) -> NDArray[np.float32]:
        """The mixture with so much of what was taught."""
        known = np.ones(self.general.shape, bool)
        return combined_probability(
            self.general, self.taught, weight, self.quantity, self.years, known
        )


def _look(
    past: Past,
    until: Past,
    local: LocalOccurrence | None,
    quantity: Quantity | None,
    general: General,
    end: int,
    threads: int,
) -> _Look:
    """The forecast from the last date of `until` for the date `end`."""
    start = len(until) - 1
    years = float(past.years[end] - past.years[start])
    plain, tone, colours = general(start, years), until.tone(), until.colours()

    def told(window: Window) -> list[NDArray[Any]]:
        changed, known = past.block(window.slices).changed(start, end)
        features = block_features(until, window, tone, colours)
        here = plain[window.slices]
        taught = here if local is None else local.of_block(window, [years])[0]
        shown = (changed, here, taught, features[RULES[0][0]], features[TEXTURE_CHANNEL])
        return [values[known] for values in shown]

    parts = zip(*in_threads(told, sampled_blocks(past), threads), strict=True)
    event, *rest = (np.concatenate(part) for part in parts)
    model, boosted, before, texture = rest
    return _Look(event, model, boosted, before, texture, quantity, years)


def combined_probability(
    general: NDArray[np.float32],
    taught: NDArray[np.floating] | None,
    weight: float,
    quantity: Quantity | None,
    years: float,
    known: NDArray[np.bool_],
    *,
    zeros: Zeros = np.zeros,
) -> NDArray[np.float32]:
    """The probability of lasting change by all that tells of it.

    Log odds are a weighted mean of those of the model and of what the region's past taught; how
    much changes then follows `quantity`.

    Args:
        general: Of the model.
        taught: Likewise, of the region's past; None where it taught nothing.
        weight: Of what was taught, 0..1.
        quantity: None where the past tells of no interval.
        years: Horizon.
        known: Cells of the region that were seen.
        zeros: Makes planes, on the disk where they are large.
    """
    used = None if weight == 0 else taught
    found = general
    if used is not None:
        found = zeros(general.shape, np.float32)
        for rows in strips(general.shape):
            odds = [
                logit(np.clip(np.asarray(p[rows], np.float64), 1e-4, 1 - 1e-4))
                for p in (used, general)
            ]
            found[rows] = expit(weight * odds[0] + (1 - weight) * odds[1])
    if quantity is None or not known.any():
        return found
    wanted = quantity.wanted(years, _mean(general, known, zeros))
    return with_mean(found, wanted, known, zeros=zeros)


def _mean(values: NDArray[np.floating], known: NDArray[np.bool_], zeros: Zeros) -> float:
    """Of the known cells, as NumPy sums them where they lie side by side."""
    parts = [rows for rows in strips(values.shape) if known[rows].any()]
    count = sum(int(np.count_nonzero(known[rows])) for rows in parts)
    chosen = zeros((count,), np.float32)
    end = 0
    for rows in parts:
        some = values[rows][known[rows]]
        chosen[end : end + len(some)] = some
        end += len(some)
    return float(chosen.mean())


def _log_loss(event: NDArray[np.bool_], probability: NDArray[np.floating]) -> float:
    p = np.clip(np.asarray(probability, np.float64), _LEAST, 1 - _LEAST)
    return float(-np.where(event, np.log(p), np.log1p(-p)).mean())
