"""One function for each thing landcast does; every door (command line, page) calls these."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from app.forecasts.plan import plan_forecast
from app.forecasts.request import ForecastRequest
from app.forecasts.results import ForecastFolder
from app.forecasts.run import forecast_region
from app.forecasts.zones import write_zones
from preprocessing.fetch import FetchReport, FetchRequest
from preprocessing.fetch import fetch_years as fetch_imagery
from preprocessing.running.executor import default_workers
from preprocessing.running.output_lock import owned_folder
from preprocessing.running.partial_files import remove_partials_in
from preprocessing.running.progress import Progress, untold

if TYPE_CHECKING:
    from app.comparison import ComparisonRequest
    from app.comparison import compare as compare_methods
    from app.forecasts.hindcasting import HindcastRequest, hindcast_place
    from app.scores.pairs import evaluate
    from app.scores.request import EvaluationRequest
    from app.training.forecast import train_forecast
    from app.training.lift import pack_pairs, train_lift
    from app.upscaling.run import UpscaleRequest, upscale
    from preprocessing.preparation.run import prepare_manifest, prepare_pair
    from preprocessing.series.preparation import prepare_series

__all__ = [
    "ComparisonRequest",
    "EvaluationRequest",
    "FetchReport",
    "FetchRequest",
    "ForecastRequest",
    "HindcastRequest",
    "Progress",
    "UpscaleRequest",
    "compare_methods",
    "default_workers",
    "evaluate",
    "fetch_imagery",
    "forecast_region",
    "forecast_zones",
    "hindcast_place",
    "pack_pairs",
    "plan_forecast",
    "prepare_manifest",
    "prepare_pair",
    "prepare_series",
    "train_features",
    "train_forecast",
    "train_lift",
    "train_sr",
    "upscale",
]

_WHERE = {
    "ComparisonRequest": "app.comparison:ComparisonRequest",
    "EvaluationRequest": "app.scores.request:EvaluationRequest",
    "HindcastRequest": "app.forecasts.hindcasting:HindcastRequest",
    "UpscaleRequest": "app.upscaling.run:UpscaleRequest",
    "compare_methods": "app.comparison:compare",
    "evaluate": "app.scores.pairs:evaluate",
    "hindcast_place": "app.forecasts.hindcasting:hindcast_place",
    "pack_pairs": "app.training.lift:pack_pairs",
    "prepare_manifest": "preprocessing.preparation.run:prepare_manifest",
    "prepare_pair": "preprocessing.preparation.run:prepare_pair",
    "prepare_series": "preprocessing.series.preparation:prepare_series",
    "train_forecast": "app.training.forecast:train_forecast",
    "train_lift": "app.training.lift:train_lift",
    "upscale": "app.upscaling.run:upscale",
}
"""What is loaded when it is asked for: a forecast, which needs none of it, begins sooner."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(_WHERE[name])


def forecast_zones(folder: Path, polygons: Path, out: Path | None = None) -> tuple[Path, Path]:
    """Write how much of each polygon is expected to change by year.

    Args:
        folder: Of a forecast.
        polygons: File of them.
        out: Folder for the tables; that of the forecast where None.
    """
    result = ForecastFolder.open(folder)
    with owned_folder(folder):
        remove_partials_in(folder)
        return write_zones(result, polygons, out)


def train_sr(
    stores: Sequence[str | Path],
    out: Path,
    config: Path | None = None,
    *,
    init: str | None = None,
    resume: bool = False,
    progress: Progress = untold,
) -> Path:
    """Train the super-resolution network by a TOML recipe into a model folder.

    The recipe is a file or the name of one that ships: `rrdb1`, `rrdb4`, `rrdb16` (where None),
    `rrdb23`, `rrdb4-jpeg`.
    With `init` it starts from the PSNR network of that model.
    """
    from sr.training.loop import train_sr as train
    from sr.training.recipe import DEFAULT_RECIPE, read_recipe

    recipe = read_recipe(config or DEFAULT_RECIPE)
    with owned_folder(out):
        remove_partials_in(out)
        train(stores, out, recipe, resume=resume, init=init, progress=partial(progress, "training"))
    return out


def train_features(
    stores: Sequence[str | Path],
    out: Path,
    config: Path | None = None,
    *,
    resume: bool = False,
    progress: Progress = untold,
) -> Path:
    """Train the features of the perceptual loss into a model folder; `config` is a TOML file."""
    from preprocessing.running.config import load_config
    from sr.training.feature_training import FeatureTrainingConfig
    from sr.training.feature_training import train_features as train

    recipe = load_config(FeatureTrainingConfig, config) if config else FeatureTrainingConfig()
    with owned_folder(out):
        remove_partials_in(out)
        train(stores, out, recipe, resume=resume, progress=partial(progress, "training"))
    return out
