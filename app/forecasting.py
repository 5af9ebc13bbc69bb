"""`landcast forecast`: one dated raster in, a folder of futures out."""

from __future__ import annotations

import json
import logging
import shutil
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.animation import animate_folder
from app.outputs import Progress, RegionRun
from app.request import SCRATCH, ForecastRequest, already_done, check_output, identity_of
from app.results import ForecastFolder
from app.stac import write_stac
from forecast.earlier_images import earlier_path, open_earlier, read_earlier
from forecast.pretrained import load_model, model_folder
from forecast.process import ONE_PASS
from forecast.start import read_start
from preprocessing.errors import DateError, RequestError
from preprocessing.executor import DaskCluster, Executor, LocalPool
from preprocessing.files import write_text
from preprocessing.io import RasterSource

__all__ = ["forecast_region"]

_log = logging.getLogger(__name__)


def forecast_region(
    request: ForecastRequest, *, progress: Progress | None = None
) -> ForecastFolder:
    """Forecast a region and write everything the contract lists into `request.out`.

    Args:
        request: What is asked for.
        progress: Called with `(stage, done, total)`.

    Raises:
        RequestError: The request is wrong; nothing was written.
    """
    began = time.monotonic()
    source = RasterSource.open(
        request.region, bands=request.bands, value_range=request.value_range, year=request.year
    )
    if source.date is None:
        raise DateError(
            f"expected the year of {request.region} in its metadata or name, found none; "
            "say it with --year"
        )
    start_year = source.date.year
    earlier = open_earlier(
        source, request.history, bands=request.bands, value_range=request.value_range
    )
    folder = model_folder(request.model)
    identity = identity_of(request, source, start_year, [before.source for before in earlier])
    scratch = request.out / SCRATCH
    if already_done(request.out, identity) and not request.overwrite:
        _log.info("%s already holds this forecast", request.out)
        return ForecastFolder.open(request.out)
    check_output(request, identity)
    model = load_model(folder)
    passes = request.steps or model.config.sampling_steps
    if passes < 1 or (model.config.objective in ONE_PASS and passes != 1):
        raise RequestError(
            f"expected --steps 1 for the model {folder.name}, which is trained to forecast in "
            f"one pass, got {passes}"
        )
    if len(earlier) > model.config.history:
        raise RequestError(
            f"expected at most {model.config.history} images for --history, as many earlier dates "
            f"as the model {folder.name} takes, got {len(earlier)}; leave some out, or train a "
            "model with 'history' in its recipe"
        )
    if scratch.exists() and not request.resume:
        shutil.rmtree(scratch)
    fresh = not scratch.exists()
    created = [p for p in (request.out, *request.out.parents) if not p.exists()]
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        write_text(scratch / "request.json", json.dumps(identity))
        image, valid = read_start(source, scratch)
        for number, before in enumerate(earlier):
            read_earlier(source, image, before.source, earlier_path(scratch, number))
        ago = tuple(before.years for before in earlier)
        run = RegionRun(request, source, scratch, start_year, ago)
        run.roll(folder, _executor(request), progress)
    except RequestError:
        if fresh:
            shutil.rmtree(scratch)
            for empty in created:
                empty.rmdir()
        raise
    run.write(image, valid, progress)
    record = _record(identity, request, source, run.years, time.monotonic() - began)
    write_text(request.out / "run.json", json.dumps(record, indent=1))
    result = ForecastFolder.open(request.out)
    for suffix in ("mp4", "gif"):
        animate_folder(result, result.folder / f"forecast.{suffix}")
    write_stac(result)
    shutil.rmtree(scratch)
    return result


def _executor(request: ForecastRequest) -> Executor | None:
    if request.dask is not None:
        return DaskCluster(request.dask)
    return LocalPool(request.workers) if request.workers > 1 else None


def _record(
    identity: dict[str, Any],
    request: ForecastRequest,
    source: RasterSource,
    years: range,
    seconds: float,
) -> dict[str, Any]:
    gsd = source.grid.gsd_m
    area = None if gsd is None else source.grid.height * source.grid.width * gsd**2 / 1e6
    packages = ("landcast", "torch", "diffusers", "numpy", "rasterio")
    arguments = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(request).items()
    }
    arguments["history"] = [str(path) for path in request.history]
    return {
        **identity,
        "resumed": request.resume,
        "years": list(years),
        "arguments": arguments,
        "versions": {name: version(name) for name in packages},
        "seconds": round(seconds, 1),
        "km2": area,
        "km2_per_hour": None if area is None else round(area / seconds * 3600, 3),
        "change_threshold": "mean absolute difference over the bands above 20/255 of the range",
    }
