"""`landcast evaluate`: a model's scores on the held-out pairs of some stores, with baselines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation_series import evaluate_series
from app.evaluation_sr import evaluate_upscaler, is_upscaler
from app.outputs import Progress
from forecast.baselines import DressedPersistence
from forecast.evaluation.bootstrap import RESAMPLES
from forecast.evaluation.history import earlier_pairs
from forecast.evaluation.methods import Method, baselines, forecaster
from forecast.evaluation.record import as_record, as_table, verdicts
from forecast.evaluation.report_page import evaluation_page
from forecast.evaluation.results import Section, sections
from forecast.evaluation.scoring import Scored, all_statistics, score_methods
from forecast.pair_history import NONE
from forecast.pretrained import DEFAULT_MODEL, load_model, model_folder, weights_sha256
from preprocessing.errors import OutputExistsError, RequestError, SeriesStoreError
from preprocessing.files import strict, write_text
from preprocessing.pair_index import PairIndex, choose_evenly
from preprocessing.pairs import SPLITS
from preprocessing.series import SeriesStore
from preprocessing.store_location import location_of
from sr.pretrained import shipped_models

__all__ = ["evaluate"]

_OURS = "landcast"


def evaluate(
    model: str | None,
    stores: Sequence[str | Path],
    out: Path,
    *,
    split: str | None = None,
    members: int = 16,
    pairs: int = 4096,
    against: Sequence[str] = (),
    seed: int = 0,
    perceptual_weights: Path | None = None,
    with_history: bool = False,
    alpha: float | None = None,
    rasters: bool = False,
    masks: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Score a forecaster beside its baselines and other models, or an upscaler and its lift.

    Args:
        model: Shipped name (`base`, `rrdb16`) or model folder of either kind.
        stores: One series store, or pair stores.
        out: Folder for `scores.json`, `report.md`, `report.html` and, of an upscaler, `tiles.csv`.
        split: Split that is scored. Default: `val` of pairs, `train` and `val` of series, apart.
        members: Members an ensemble.
        pairs: Score at most about this many pairs, evenly over the datasets.
        against: Further forecasters, scored on the same pairs with the same noise.
        seed: Of the choice of pairs, noise, tie-breaking, bootstrap and examples.
        perceptual_weights: Weights of VGG16 for the perceptual distance; a stand-in where None.
        with_history: Only pairs for whose past an earlier date of the tile is stored.
        alpha: Of an upscaler that is a pair of networks: the share of the adversarial one.
        rasters: Of an upscaler, also write every tile it restored, with maps.
        masks: On series, a folder with masks of change that people drew, see `mask_cases`.
        overwrite: Replace earlier scores in `out`.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.

    Raises:
        OutputExistsError: `out` is a file, or holds scores and `overwrite` is False.
        RequestError: A model, a store or the weights cannot be read, or the request is wrong.
    """
    if out.exists() and not out.is_dir():
        raise OutputExistsError(f"expected a folder for --out, {out} is a file")
    if (out / "scores.json").exists() and not overwrite:
        raise OutputExistsError(
            f"expected a folder without scores for --out, {out} holds scores.json; choose another, "
            "or pass --overwrite"
        )
    if split not in (None, *SPLITS):
        raise RequestError(f"expected a --split of {', '.join(SPLITS)}, got {split!r}")
    series = _series(stores)
    if series is not None:
        return evaluate_series(
            model,
            series,
            out,
            splits=("train", "val") if split is None else (split,),
            members=members,
            against=against,
            masks=masks,
            seed=seed,
            progress=progress,
        )
    if masks is not None:
        raise RequestError("expected --masks with a series store only; leave the option out")
    split = split or "val"
    upscaler = None if Path(str(model)).is_dir() else shipped_models().get(str(model))
    if upscaler is not None or is_upscaler(model):
        for option, given in (("against", against), ("with-history", with_history)):
            if given:
                raise RequestError(
                    f"expected --{option} with a forecaster only, {model} is an upscaler; "
                    "leave the option out"
                )
        return evaluate_upscaler(
            upscaler or Path(str(model)),
            stores,
            out,
            split=split,
            pairs=pairs,
            seed=seed,
            alpha=alpha,
            perceptual_weights=perceptual_weights,
            rasters=rasters,
            progress=progress,
        )
    for option, set_ in (("alpha", alpha is not None), ("rasters", rasters)):
        if set_:
            raise RequestError(f"expected --{option} with an upscaler only; leave the option out")
    methods = _methods(model, against, members=members)
    index = PairIndex.of(stores, split)
    choice = np.arange(len(index))
    if with_history:
        choice = np.flatnonzero(earlier_pairs(index) != NONE)
        if choice.size == 0:
            raise RequestError(
                f"expected pairs with an earlier date in {', '.join(map(str, stores))}, found "
                "none; prepare places with three dates or more, or leave --with-history out"
            )
    chosen = choice[choose_evenly(index.dataset[choice], pairs, seed=seed)]
    statistics = all_statistics(seed=seed, perceptual_weights=perceptual_weights)
    scored = score_methods(index, chosen, methods, statistics, seed=seed, progress=progress)
    found = sections(scored.sums, statistics, seed=seed, resamples=RESAMPLES)
    settings = {
        "model": str(model or DEFAULT_MODEL),
        "model_sha256": weights_sha256(model),
        "against": {name: weights_sha256(name) for name in against},
        "stores": [location_of(store) for store in stores],
        "split": split,
        "pairs": len(chosen),
        "pairs_with_history": list(scored.history),
        "members": scored.members,
        "seed": seed,
        "bootstrap": {"resamples": RESAMPLES, "level": 0.95, "units": scored.kinds},
        "perceptual_weights": None if perceptual_weights is None else perceptual_weights.name,
    }
    return _write(out, settings, found, scored)


def _series(stores: Sequence[str | Path]) -> SeriesStore | None:
    """The series store that is asked about, if it is one."""
    if len(stores) != 1:
        return None
    try:
        return SeriesStore.open(stores[0])
    except SeriesStoreError:
        return None


def _methods(model: str | None, against: Sequence[str], *, members: int) -> list[Method]:
    """The model, its baselines, other models; a further kind of forecast is one more entry."""
    folder = model_folder(model)
    ours = forecaster(_OURS, load_model(folder), members=members)
    found = [ours, *baselines(DressedPersistence.load(folder), members=members)]
    for other in against:
        taken = {method.name for method in found}
        short = Path(other).name
        name = next(n for n in (short, *(f"{short} ({i})" for i in range(2, 99))) if n not in taken)
        found.append(forecaster(name, load_model(other), members=members))
    return found


def _write(out: Path, settings: dict[str, Any], found: list[Section], scored: Scored) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    record = {**settings, **as_record(found)}
    write_text(out / "scores.json", json.dumps(strict(record), indent=1, allow_nan=False))
    title = f"{settings['model']} on the split {settings['split']}"
    page = evaluation_page(title, found, scored.examples, kinds=scored.kinds, settings=settings)
    write_text(out / "report.html", page)
    sizes = ", ".join(f"{name} {size}" for name, size in scored.members.items())
    dates = "".join(
        f" {count} of them have at least {n} earlier date{'s' if n > 1 else ''} that a model saw."
        for n, count in enumerate(scored.history, start=1)
    )
    return write_text(
        out / "report.md",
        f"# Scores on the split `{settings['split']}`\n\n{settings['pairs']} pairs.{dates} "
        f"Members: {sizes}. Errors are in grey levels of 255, on 4x4 means; lower is better. A "
        "spread-skill ratio of 1 is calibrated; a higher Figure of Merit is better. Every score, "
        f"by horizon and with intervals: `report.html`, `scores.json`.\n\n{as_table(found)}\n\n"
        f"{_OURS} minus the others, bootstrap over places or blocks of ground; better and worse "
        f"stand where the interval excludes zero.\n\n{verdicts(found)}\n",
    )
