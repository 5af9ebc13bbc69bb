"""Calibration of an ensemble: how strong the noise must be on pairs it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from forecast.baselines import DressedPersistence
from forecast.evaluation.tiles import evenly_by_dataset, score_tiles
from forecast.training.data import PairData
from forecast.unet import ForecastUNet
from preprocessing.errors import RequestError

__all__ = ["FACTORS", "Calibration", "Fit", "calibrate"]

FACTORS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
"""Factors on the noise that are tried."""
SPLIT_YEARS = 2.5
"""Horizons up to this, and those beyond, have a factor each."""


@dataclass(frozen=True)
class Fit:
    """One class of horizons.

    Attributes:
        years: Mean horizon of its pairs.
        factor: The one that all datasets together are best with.
        crps: `{dataset: CRPS of each of FACTORS}`, units of 0..1.
        spread_skill: Likewise the spread-skill ratio.
        left_out: `{dataset: factor of the other datasets}`; empty with one dataset.
    """

    years: float
    factor: float
    crps: dict[str, list[float]]
    spread_skill: dict[str, list[float]]
    left_out: dict[str, float]


@dataclass(frozen=True)
class Calibration:
    """Factors on the noise of a model, by horizon, and what they are worth."""

    fits: tuple[Fit, ...]

    @property
    def noise_scale(self) -> tuple[tuple[float, float], ...]:
        """For the configuration of `ForecastUNet`."""
        return tuple((fit.years, fit.factor) for fit in self.fits)

    def record(self) -> dict[str, object]:
        """Everything, for JSON."""
        return {"factors": list(FACTORS), "fits": [asdict(fit) for fit in self.fits]}

    def table(self) -> str:
        """Markdown: the factors, and each dataset before and with the factor of the others."""
        found = ", ".join(f"{fit.factor:g} at {fit.years:g} years" for fit in self.fits)
        lines = [
            f"Factors on the noise: {found}.",
            "",
            "| dataset | years, mean | factor of the others | CRPS before | CRPS then "
            "| spread-skill before | then |",
            "|---|---|---|---|---|---|---|",
        ]
        plain = FACTORS.index(1.0)
        for fit in self.fits:
            for dataset, factor in fit.left_out.items():
                then = FACTORS.index(factor)
                crps, ratio = fit.crps[dataset], fit.spread_skill[dataset]
                lines.append(
                    f"| {dataset} | {fit.years:.1f} | {factor:g} | {255 * crps[plain]:.2f} "
                    f"| {255 * crps[then]:.2f} | {ratio[plain]:.2f} | {ratio[then]:.2f} |"
                )
        return "\n".join(lines)


def calibrate(
    model: ForecastUNet,
    data: PairData,
    dressed: DressedPersistence,
    *,
    pairs: int = 240,
    members: int = 8,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Calibration:
    """Find the factors on the noise with the lowest fair CRPS.

    Every dataset counts alike: the mean of its CRPS over that with a factor of 1 decides.

    Args:
        model: Of one pass; its own `noise_scale` is replaced while this runs, then put back.
        data: Pairs that the model was not trained on.
        dressed: Its baseline.
        pairs: About so many are scored, evenly by dataset, for each factor.
        members: Of each forecast.
        seed: Of the choice of pairs and the noise.
        progress: Called with `("calibrating", done, total)`.

    Raises:
        RequestError: The model takes several passes, so its noise is the start of a path to data
            and cannot be scaled.
    """
    if model.config.objective != "crps":
        raise RequestError(
            f"expected a model of the objective 'crps', got '{model.config.objective}'; the noise "
            "of other models cannot be scaled"
        )
    before = model.config.noise_scale
    chosen = evenly_by_dataset(data, pairs, seed=seed)
    years = data.index.years[chosen]
    parts = [
        part for part in (chosen[years <= SPLIT_YEARS], chosen[years > SPLIT_YEARS]) if len(part)
    ]
    fits = []
    try:
        for number, part in enumerate(parts):
            scores = []
            for index, factor in enumerate(FACTORS):
                model.register_to_config(noise_scale=((1.0, factor),))
                scored = score_tiles(model, data, part, dressed, members=members, seed=seed)
                scored.pop("all", None)
                scores.append({name: methods["landcast"] for name, methods in scored.items()})
                if progress is not None:
                    done = number * len(FACTORS) + index + 1
                    progress("calibrating", done, len(parts) * len(FACTORS))
            names = list(scores[0])
            crps = {name: [score[name]["crps"] for score in scores] for name in names}
            ratio = {name: [score[name]["spread_skill"] for score in scores] for name in names}
            others = {name: [o for o in names if o != name] for name in names}
            fits.append(
                Fit(
                    years=round(float(data.index.years[part].mean()), 2),
                    factor=_best(crps, names),
                    crps=crps,
                    spread_skill=ratio,
                    left_out={n: _best(crps, others[n]) for n in names} if len(names) > 1 else {},
                )
            )
    finally:
        model.register_to_config(noise_scale=before)
    return Calibration(tuple(fits))


def _best(crps: dict[str, list[float]], names: Sequence[str]) -> float:
    plain = FACTORS.index(1.0)
    ratios = np.mean([np.array(crps[name]) / crps[name][plain] for name in names], axis=0)
    return FACTORS[int(ratios.argmin())]
