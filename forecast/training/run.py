"""From a file of training places to a model folder; needs neither GDAL nor Zarr."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from forecast.baselines import DressedPersistence
from forecast.pretrained import load_model
from forecast.training.config import ForecastTraining
from forecast.training.familiar import familiarity_of
from forecast.training.loop import known_mean, train_network
from forecast.training.observation_prior import observation_prior
from forecast.training.place_scores import Case
from forecast.training.place_tensors import Ground, GroundPlace
from forecast.training.portable import load_places
from preprocessing.running.partial_files import partial_path
from preprocessing.running.progress import Steps, untold

__all__ = ["cases_of", "run_training"]

_log = logging.getLogger(__name__)
_STARTS, _HORIZONS = (0.4, 0.65), (3.0, 7.0)
_MOST_CELLS, _MOST_PLACES = 20_000, 8
"""Of a place, and places of a dataset, that are scored while training."""
_SHAPE = ("block_out_channels", "layers_per_block", "regional_noise")


def run_training(
    places: Path,
    out: Path,
    config: ForecastTraining,
    *,
    minutes: float | None = None,
    init: str | Path | None = None,
    device: torch.device | None = None,
    progress: Steps = untold,
) -> Path:
    """Train and keep the weights of the validation that was best.

    Args:
        places: From `save_places`.
        out: Model folder. Checkpoints, journal and the weights of every validation lie in
            `out/training`; a run that was stopped goes on from there.
        config: The run.
        minutes: Stop after so much time, with the learning rate brought down by then.
        init: Start from the weights of this model (shipped name or folder), with its shape.
        device: Default: the GPU where there is one.
        progress: Called with (steps done, in all).

    Returns:
        `out`.

    Raises:
        MissingFileError: There are no places.
        ModelFolderError: The model to start from cannot be read.
        DivergedError: The loss is no longer a number.
        RequestError: The run that was stopped had another recipe.
    """
    parent = None
    if init is not None:
        parent = load_model(init, device=torch.device("cpu"))
        config = replace(config, **{name: parent.config[name] for name in _SHAPE})
    train, val = load_places(places)
    ground = Ground.of([*train, *val])
    catalogue = config.catalogue(train, ground)
    alike = replace(config, dataset_weights=()).catalogue(train, ground)
    cases = cases_of(train, val)
    if not cases:
        _log.warning(
            "no place of the split val is labelled: nothing is scored, the weights of the last "
            "step are kept; give a series with val places, or 10 simulated worlds in the recipe"
        )
    found = "cuda" if torch.cuda.is_available() else "cpu"
    work = out / "training"
    train_network(
        ground,
        catalogue,
        cases,
        config,
        work,
        device=device or torch.device(found),
        alike=alike,
        minutes=minutes,
        init=parent,
        progress=progress,
    )
    best = _best(work / "journal.jsonl")
    for file in (work / f"step_{best}").iterdir():
        part = partial_path(out / file.name)
        shutil.copyfile(file, part)
        os.replace(part, out / file.name)
    familiarity_of(train).save(out)
    for alone in (False, True):
        observations = observation_prior(train, alone=alone)
        if observations is not None:
            observations.save(out, alone=alone)
    DressedPersistence.fit(train).save(out)
    facts = {
        "step": best,
        "config": asdict(config),
        "places": sorted({(place.dataset, place.name) for place in train}),
    }
    (out / "training.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return out


def cases_of(train: Sequence[GroundPlace], val: Sequence[GroundPlace]) -> list[Case]:
    """What is scored while training: some starts and horizons of labelled places of moderate size.

    Of a dataset of many places the first few are.
    """
    number = sum(len(place.labels) for place in train)
    cases: list[Case] = []
    taken: Counter[str] = Counter()
    for index, place in enumerate(val, start=len(train)):
        pairs = {pair: number + n for n, pair in enumerate(place.labels)}
        number += len(pairs)
        dates, height, width = place.valid.shape
        if height * width > _MOST_CELLS * 16 or not pairs:
            continue
        if taken[place.dataset] == _MOST_PLACES:
            continue
        taken[place.dataset] += 1
        chosen = set()
        for share in _STARTS:
            start = min((i for i, _ in pairs), key=lambda i: abs(i - share * dates))
            for years in _HORIZONS:
                ends = [j for i, j in pairs if i == start]
                ahead = place.years[ends] - place.years[start]
                chosen.add((start, ends[int(np.abs(ahead - years).argmin())]))
        for i, j in sorted(chosen):
            ahead = place.years[j] - place.years[i]
            name = f"{place.name} {place.years[i]:.0f}+{ahead:.0f}"
            cases.append(Case(name, index, i, j, pairs[i, j]))
    return cases


def _best(journal: Path) -> int:
    """The step with the best mean of the AUC of change and skill of looks; of equals the last."""
    merits: dict[int, float] = {}
    for line in journal.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        scores = entry["scores"].values()
        merits[entry["step"]] = sum(
            known_mean([score[key] for score in scores]) or 0.0 for key in ("auc", "look")
        )
    return max(merits, key=lambda step: (merits[step], step))
