"""`landcast evaluate`: a model's scores on held-out places or pairs, with baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.scores.forecast import evaluate_pairs, evaluate_series
from app.scores.request import EvaluationRequest
from app.scores.upscaling import evaluate_upscaler, is_upscaler
from preprocessing.errors import OutputExistsError, RequestError, SeriesStoreError
from preprocessing.running.output_lock import owned_folder
from preprocessing.running.partial_files import remove_partials_in
from preprocessing.running.progress import Progress, untold
from preprocessing.series import SeriesStore
from sr.network.pretrained import shipped_models

__all__ = ["evaluate"]


def evaluate(request: EvaluationRequest, *, progress: Progress = untold) -> Path:
    """Score a forecaster beside its baselines and other models, or an upscaler.

    Args:
        request: What is asked for.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.

    Raises:
        OutputExistsError: `out` is a file, or holds scores and is not to be overwritten.
        OutputInUseError: Another process writes there.
        RequestError: A model, a store or the weights cannot be read, or the request is wrong.
    """
    out, model = request.out, request.model
    with owned_folder(out):
        if (out / "scores.json").exists() and not request.overwrite:
            raise OutputExistsError(
                f"expected a folder without scores for --out, {out} holds scores.json; choose "
                "another, or pass --overwrite"
            )
        remove_partials_in(out)
        series = _series(request.stores)
        if series is not None:
            _refuse({"pairs": request.pairs is not None}, "pair stores")
            return evaluate_series(request, series, progress=progress)
        _refuse(
            {"masks": request.masks is not None, "dates": bool(request.dates)}, "a series store"
        )
        upscaler = None if Path(str(model)).is_dir() else shipped_models().get(str(model))
        if upscaler is not None or is_upscaler(model):
            if request.against:
                raise RequestError(
                    f"expected --against with a forecaster only, {model} is an upscaler; leave the "
                    "option out"
                )
            return evaluate_upscaler(request, upscaler or Path(str(model)), progress=progress)
        _refuse({"alpha": request.alpha is not None, "rasters": request.rasters}, "an upscaler")
        return evaluate_pairs(request, progress=progress)


def _refuse(options: dict[str, bool], fits: str) -> None:
    """Refuse options that were given and would have no effect."""
    for option, given in options.items():
        if given:
            raise RequestError(f"expected --{option} with {fits} only; leave the option out")


def _series(stores: Sequence[str | Path]) -> SeriesStore | None:
    """The series store that is asked about, if it is one."""
    if len(stores) != 1:
        return None
    try:
        return SeriesStore.open(stores[0])
    except SeriesStoreError:
        return None
