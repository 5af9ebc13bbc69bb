"""`landcast evaluate`: a model's scores on the held-out pairs of some stores, with baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.forecasts.outputs import Progress
from app.scores.forecast import evaluate_pairs, evaluate_series
from app.scores.upscaling import evaluate_upscaler, is_upscaler
from preprocessing.errors import OutputExistsError, RequestError, SeriesStoreError
from preprocessing.pairs.store import SPLITS
from preprocessing.running.ownership import owned_folder
from preprocessing.running.partial_files import remove_partials_in
from preprocessing.series import SeriesStore
from sr.network.pretrained import shipped_models

__all__ = ["evaluate"]


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
    alpha: float | None = None,
    rasters: bool = False,
    masks: Path | None = None,
    dates: Sequence[int] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Score a forecaster beside its baselines and other models, or an upscaler.

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
        alpha: Of an upscaler that is a pair of networks: the share of the adversarial one.
        rasters: Of an upscaler, also write every tile it restored, with maps.
        masks: On series, a folder with masks of change that people drew, see `mask_cases`.
        dates: On series, numbers of dates that the history is cut to, see `evaluate_series`.
        overwrite: Replace earlier scores in `out`.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.

    Raises:
        OutputExistsError: `out` is a file, or holds scores and `overwrite` is False.
        OutputInUseError: Another process writes there.
        RequestError: A model, a store or the weights cannot be read, or the request is wrong.
    """
    with owned_folder(out):
        if (out / "scores.json").exists() and not overwrite:
            raise OutputExistsError(
                f"expected a folder without scores for --out, {out} holds scores.json; choose "
                "another, or pass --overwrite"
            )
        remove_partials_in(out)
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
                dates=dates,
                seed=seed,
                progress=progress,
            )
        for option, set_ in (("masks", masks is not None), ("dates", bool(dates))):
            if set_:
                raise RequestError(
                    f"expected --{option} with a series store only; leave the option out"
                )
        split = split or "val"
        upscaler = None if Path(str(model)).is_dir() else shipped_models().get(str(model))
        if upscaler is not None or is_upscaler(model):
            if against:
                raise RequestError(
                    f"expected --against with a forecaster only, {model} is an upscaler; leave the "
                    "option out"
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
                raise RequestError(
                    f"expected --{option} with an upscaler only; leave the option out"
                )
        return evaluate_pairs(
            model,
            stores,
            out,
            split=split,
            members=members,
            pairs=pairs,
            against=against,
            seed=seed,
            perceptual_weights=perceptual_weights,
            progress=progress,
        )


def _series(stores: Sequence[str | Path]) -> SeriesStore | None:
    """The series store that is asked about, if it is one."""
    if len(stores) != 1:
        return None
    try:
        return SeriesStore.open(stores[0])
    except SeriesStoreError:
        return None
