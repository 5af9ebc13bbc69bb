"""Training of the forecaster.

From a file of places it imports nothing that reads rasters, so that it runs on a bare GPU.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from forecast.pretrained import model_folder
from forecast.training.config import read_recipe
from forecast.training.portable import SUFFIX, save_places
from forecast.training.run import run_training
from preprocessing.errors import OutputExistsError, RequestError
from preprocessing.running.files import write_text
from preprocessing.running.output_lock import contents, owned_folder
from preprocessing.running.partial_files import remove_partials_in
from preprocessing.running.progress import Progress, untold

__all__ = ["train_forecast"]

_DATA = "data.json"


def train_forecast(
    stores: Sequence[str | Path],
    out: Path,
    config: str | Path | None = None,
    *,
    minutes: float | None = None,
    init: str | None = None,
    resume: bool = False,
    progress: Progress = untold,
) -> Path:
    """Train the forecaster into a model folder.

    What it is trained on is kept in `out/training/places.npz`, which can be given instead of the
    stores, on a machine without GDAL and Zarr too.

    Args:
        stores: Series and pair stores, or one file of places. Of pairs no lasting change is known:
            they tell what observations look like, not where ground changes.
        out: Model folder.
        config: Recipe: a TOML file, or `base` (where None), `gpu` or `small`.
        minutes: Stop after so many minutes of training.
        init: Start from the weights of this model, with its shape.
        resume: Go on with a run that was stopped.
        progress: Called with `("labelling" or "training", done, total)`.

    Raises:
        OutputExistsError: `out` holds something, and `resume` was not asked for.
        RequestError: There is nothing to resume, or it had other stores or another recipe; or a
            store or model cannot be read.
        DivergedError: The loss is no longer a number.
    """
    recipe = read_recipe(config or "base")
    if init is not None:
        model_folder(init)  # Before hours of work.
    work = out / "training"
    with owned_folder(out):
        _check(out, work, resume=resume)
        remove_partials_in(out)
        data = _data(work, stores, recipe.worlds)
        places = Path(stores[0])
        if [Path(store).suffix for store in stores] != [SUFFIX]:
            places = work / f"places{SUFFIX}"
            if not places.is_file():
                from forecast.training.assemble import assemble_places

                labelling = partial(progress, "labelling")
                train, val = assemble_places(stores, worlds=recipe.worlds, progress=labelling)
                work.mkdir(parents=True, exist_ok=True)
                save_places(places, train, val)
        if places.is_file():
            work.mkdir(parents=True, exist_ok=True)
            write_text(work / _DATA, json.dumps(data))
        return run_training(
            places, out, recipe, minutes=minutes, init=init, progress=partial(progress, "training")
        )


def _data(work: Path, stores: Sequence[str | Path], worlds: int) -> dict[str, Any]:
    """What a run is trained on, which has to stay so when it goes on."""
    path = work / _DATA
    names = [str(Path(s).resolve() if Path(s).exists() else s) for s in stores]
    asked = {"stores": names, "worlds": worlds}
    if path.is_file() and (begun := json.loads(path.read_text(encoding="utf-8"))) != asked:
        raise RequestError(
            f"expected {', '.join(begun['stores'])} and {begun['worlds']} worlds, which the run in "
            f"{work} was begun with, got {', '.join(names)} and {worlds}; repeat them, or "
            "train into another folder"
        )
    return asked


def _check(out: Path, work: Path, *, resume: bool) -> None:
    if resume and not work.is_dir():
        raise RequestError(
            f"expected a training that was stopped in {out}, found none; start without --resume"
        )
    if contents(out) and not resume:
        raise OutputExistsError(
            f"expected a new or empty folder for --out, {out} holds files; choose another, or pass "
            "--resume to go on with a training that was stopped"
        )
