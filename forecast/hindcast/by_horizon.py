"""What hindcasts were worth by horizon, and how far ahead they beat "nothing changes"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.hindcast.outcome import Outcome

__all__ = ["HorizonSkill", "longest_better", "skill_by_horizon"]

CHANGE, PICTURES, OBSERVATIONS = "change", "pictures", "observations"
_SHOWN = 0.005
"""Gain over nothing changes that two digits show; less of it is not called better."""


@dataclass(frozen=True)
class HorizonSkill:
    """Means over the starts of one horizon.

    Attributes:
        horizon: In years.
        starts: How many.
        auc: Of the probability of lasting change, of `auc_starts` of them, as too little changed
            from the others; `auc_before` of "where it changed before", `auc_texture` of texture.
        expected: Share of the cells expected to change; `changed` did.
        brier_skill: 1 less the Brier score over that of "nothing changes" (probability 0); None
            where nothing changed.
        harm: RMSE of the members' mean over that of the present, geometric mean.
        crps_skill: 1 less the CRPS of the observations over that of dressed persistence.
        better: In what the forecasts were better than "nothing changes", in the mean by half a
            per cent and more, and from more than half of the starts: `change` (Brier score),
            `pictures` (harm), `observations` (CRPS).
    """

    horizon: int
    starts: int
    auc_starts: int
    auc: float | None
    auc_before: float | None
    auc_texture: float | None
    expected: float
    changed: float
    brier_skill: float | None
    harm: float
    crps_skill: float
    better: tuple[str, ...]

    @property
    def area_ratio(self) -> float | None:
        """Expected over true area; None where nothing changed."""
        return self.expected / self.changed if self.changed else None

    def rounded(self) -> dict[str, Any]:
        """For a file: four digits."""
        values = {**vars(self), "area_ratio": self.area_ratio, "better": list(self.better)}
        return {
            key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in values.items()
        }


def skill_by_horizon(outcomes: Sequence[Outcome]) -> list[HorizonSkill]:
    """Put outcomes together by the horizon they stand for, ascending."""
    horizons = sorted({found.horizon for found in outcomes})
    return [_skill(h, [found for found in outcomes if found.horizon == h]) for h in horizons]


def longest_better(skills: Sequence[HorizonSkill]) -> int | None:
    """The longest horizon in years at which something better than nothing changes was shown."""
    return max((skill.horizon for skill in skills if skill.better), default=None)


def _skill(horizon: int, outcomes: list[Outcome]) -> HorizonSkill:
    ranked = [found for found in outcomes if found.auc is not None]
    changed = _mean([found.changed for found in outcomes])
    brier = _mean([found.brier for found in outcomes])
    ratios = [_ratio(found.mse, found.mse_still) for found in outcomes]
    crps = [_ratio(found.crps, found.crps_still) for found in outcomes]
    harm = float(np.exp(np.mean(np.log(ratios)) / 2))
    crps_skill = 1 - _mean([found.crps for found in outcomes]) / max(
        _mean([found.crps_still for found in outcomes]), _LEAST
    )
    shown = {
        CHANGE: (
            brier < (1 - _SHOWN) * changed,
            [found.brier < found.changed for found in outcomes],
        ),
        PICTURES: (harm < 1 - _SHOWN, [ratio < 1 for ratio in ratios]),
        OBSERVATIONS: (
            crps_skill > _SHOWN,
            [
                ratio < 1 and found.mse_still > _LEAST
                for ratio, found in zip(crps, outcomes, strict=True)
            ],
        ),
    }
    return HorizonSkill(
        horizon=horizon,
        starts=len(outcomes),
        auc_starts=len(ranked),
        auc=_known(ranked, "auc"),
        auc_before=_known(ranked, "auc_before"),
        auc_texture=_known(ranked, "auc_texture"),
        expected=_mean([found.expected for found in outcomes]),
        changed=changed,
        brier_skill=1 - brier / changed if changed else None,
        harm=harm,
        crps_skill=crps_skill,
        better=tuple(name for name, (mean, each) in shown.items() if mean and np.mean(each) > 0.5),
    )


_LEAST = 1e-12
"""So that a perfect forecast has a finite logarithm."""


def _ratio(ours: float, still: float) -> float:
    return max(ours, _LEAST) / max(still, _LEAST)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _known(outcomes: Sequence[Outcome], name: str) -> float | None:
    values = [getattr(found, name) for found in outcomes]
    return _mean(values) if values else None
