"""What is scored: a name and a function from pairs to members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from forecast.baselines import DressedPersistence, linear_trend, persistence
from forecast.ensemble import predict_tiles
from forecast.evaluation.cases import Cases
from forecast.unet import ForecastUNet
from preprocessing.errors import ModelFolderError

__all__ = ["Method", "baselines", "forecaster"]

_GPU_BATCH = 256


@dataclass(frozen=True)
class Method:
    """A way to forecast.

    Attributes:
        name: As the report shows it.
        members: Pairs and seed to differences `(m, b, 3, 32, 32)` in units of 0..1. Pairs it
            cannot forecast are NaN; they are left out wherever this method is compared.
        history: Earlier dates it looks at in `Cases.history`.
    """

    name: str
    members: Callable[[Cases, int], Tensor]
    history: int = 0


def forecaster(name: str, model: ForecastUNet, *, members: int) -> Method:
    """A trained network, straight to the horizon of each pair.

    The noise of a pair depends on seed and pair only, so two models with the same noise channels
    get the same noise. A model of the objective `mean` sees no noise and gives one member. Its
    `members` raises `ModelFolderError` where a forecast is not finite: left out as a pair that
    cannot be forecast, it would flatter the model.
    """
    device = next(model.parameters()).device
    count = 1 if model.config.objective == "mean" else members
    # The members of one tile are a batch: a tile's forecast is the same among any others. A GPU
    # would idle.
    together = max(1, _GPU_BATCH // count) if device.type == "cuda" else 1

    def predict(cases: Cases, seed: int) -> Tensor:
        fields = []
        for start in range(0, len(cases), together):
            rows = torch.arange(len(cases))[start : start + together].repeat_interleave(count)
            field = predict_tiles(
                model,
                *(x[rows].to(device) for x in (cases.past, cases.years, cases.gsd_m)),
                members=1,
                seed=[_seed(seed, key) for key in cases.keys[start : start + together]],
                history=cases.history[rows].to(device),
            )[0]
            fields.append(field.reshape(-1, count, *field.shape[1:]).transpose(0, 1).float().cpu())
        ensemble = torch.cat(fields, dim=1)
        if not bool(ensemble.isfinite().all()):
            raise ModelFolderError(
                f"expected finite forecasts of the model {name}, got NaN or infinity; its weights "
                "are damaged or its training diverged, train it again"
            )
        return ensemble

    return Method(name, predict, int(model.config.history))


def baselines(dressed: DressedPersistence, *, members: int) -> list[Method]:
    """Persistence, dressed persistence and the linear trend."""

    def dress(cases: Cases, seed: int) -> Tensor:
        return torch.cat(
            [
                dressed.members(
                    cases.low[i : i + 1],
                    years=float(cases.years[i]),
                    gsd_m=float(cases.gsd_m[i]),
                    count=members,
                    seed=_seed(seed, key),
                )
                for i, key in enumerate(cases.keys)
            ],
            dim=1,
        )

    return [
        Method("persistence", lambda cases, _: persistence(cases.low)),
        Method("dressed persistence", dress),
        Method("linear trend", lambda cases, _: linear_trend(cases.low, cases.trend, cases.years)),
    ]


def _seed(seed: int, key: int) -> int:
    return (seed * 1_000_003 + key) % 2**63
