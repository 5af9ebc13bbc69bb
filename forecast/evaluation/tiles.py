"""Scores on tile pairs, per dataset, with persistence and dressed persistence beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.baselines import DressedPersistence, persistence
from forecast.ensemble import predict_tiles
from forecast.evaluation.tally import Tally
from forecast.patches import to_low
from forecast.training.data import PairData
from forecast.unet import ForecastUNet
from preprocessing.pair_index import choose_evenly

__all__ = ["METHODS", "evenly_by_dataset", "score_table", "score_tiles"]

METHODS = ("landcast", "persistence", "dressed persistence")
Scores = dict[str, dict[str, dict[str, float]]]
_SHOWN = ("crps", "crps_changed", "crps_unchanged", "rmse", "bias", "spread_skill", "brier")


def evenly_by_dataset(data: PairData, total: int, *, seed: int = 0) -> NDArray[np.intp]:
    """A seeded choice of about `total` pairs, as evenly over the datasets as they allow."""
    return choose_evenly(data.index.dataset, total, seed=seed)


def score_tiles(
    model: ForecastUNet,
    data: PairData,
    index: NDArray[np.intp],
    dressed: DressedPersistence,
    *,
    members: int,
    batch_size: int = 16,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Scores:
    """Score the pairs at `index`: `{dataset: {method: scores}}`, and all of them under `all`."""
    model.eval()
    device = next(model.parameters()).device
    sums: dict[tuple[str, str], Tally] = {}
    done = 0
    for dataset, part in _batches(data, index, batch_size):
        batch = data.batch_of(part)
        low = to_low(batch.past)
        gsd_m = np.nan_to_num(data.index.gsd_m[part], nan=0.0)
        key = seed * 1_000_003 + int(part[0])
        predicted = predict_tiles(
            model,
            batch.past.to(device),
            batch.years.to(device),
            batch.gsd_m.to(device),
            members=members,
            seed=key,
            history=data.history(part, factor=model.factor).to(device),
        ).cpu()
        noise = torch.cat(
            [
                dressed.members(
                    low[i : i + 1],
                    years=float(batch.years[i]),
                    gsd_m=float(gsd_m[i]),
                    count=members,
                    seed=seed * 1_000_003 + int(part[i]),
                )
                for i in range(len(low))
            ],
            dim=1,
        )
        for method, ensemble in zip(METHODS, (predicted, persistence(low), noise), strict=True):
            found = Tally.of(ensemble, batch)
            sums[dataset, method] = sums.get((dataset, method), Tally()) + found
        done += len(part)
        if progress is not None:
            progress("scoring", done, len(index))
    names = list(dict.fromkeys(dataset for dataset, _ in sums))
    scores: Scores = {d: {m: _shown(sums[d, m]) for m in METHODS} for d in names}
    if len(names) > 1:
        scores["all"] = {
            m: _shown(sum((sums[d, m] for d in names), start=Tally())) for m in METHODS
        }
    return scores


def _shown(sums: Tally) -> dict[str, float]:
    scores = sums.scores()
    return {name: scores[name] for name in _SHOWN}


def score_table(scores: Scores) -> str:
    """The scores as a Markdown table; errors in grey levels of 255."""
    lines = [
        "| dataset | method | CRPS | CRPS changed | CRPS unchanged | RMSE | spread-skill | Brier |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for dataset, methods in scores.items():
        for method, score in methods.items():
            levels = [
                f"{255 * score[name]:.2f}"
                for name in ("crps", "crps_changed", "crps_unchanged", "rmse")
            ]
            ratio = score["spread_skill"]
            lines.append(
                f"| {dataset} | {method} | {' | '.join(levels)} | "
                f"{'-' if np.isnan(ratio) else f'{ratio:.2f}'} | {score['brier']:.3f} |"
            )
    return "\n".join(lines)


def _batches(
    data: PairData, index: NDArray[np.intp], size: int
) -> Iterator[tuple[str, NDArray[np.intp]]]:
    for dataset in data.counts:
        part = index[data.index.dataset[index] == dataset]
        for start in range(0, len(part), size):
            yield dataset, part[start : start + size]
