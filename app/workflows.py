"""One function for each thing landcast does; every door (command line, page) calls these."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

from app.evaluation import evaluate
from app.forecasting import forecast_region
from app.outputs import Progress
from app.request import ForecastRequest
from preprocessing.config import load_config

__all__ = [
    "ForecastRequest",
    "Progress",
    "evaluate",
    "forecast_region",
    "train_forecast",
    "train_sr",
]


def train_forecast(
    stores: Sequence[Path],
    out: Path,
    config: Path | None = None,
    *,
    init: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train a forecaster by a TOML recipe (the shipped one where None) into a model folder.

    With `init` it starts from the weights of that model.
    """
    from forecast.training.config import TrainingConfig
    from forecast.training.loop import train_forecast as train

    with as_file(files("forecast") / "recipes" / "base.toml") as shipped:
        recipe = load_config(TrainingConfig, config or shipped)
    return train(stores, out, recipe, init=init, resume=resume, progress=progress)


def train_sr(
    stores: Sequence[Path],
    out: Path,
    config: Path | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train the super-resolution network by a TOML recipe (the shipped one where None)."""
    from sr.recipe import DEFAULT_RECIPE, read_recipe
    from sr.training import train_sr as train

    recipe = read_recipe(config or DEFAULT_RECIPE)
    tick = None if progress is None else partial(progress, "training")
    train(stores, out, recipe, resume=resume, progress=tick)
    return out
