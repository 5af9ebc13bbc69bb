"""`landcast forecast`: dated images of a place in, a folder of futures out."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.forecasts.area_of_interest import AreaOfInterest
from app.forecasts.memory import affordable_workers
from app.forecasts.outputs import Progress, RegionRun, missing_files
from app.forecasts.record import run_record
from app.forecasts.request import (
    SCRATCH,
    ForecastRequest,
    already_done,
    begun,
    check_output,
    identity_of,
    note_begun,
    remove_scratch,
)
from app.forecasts.results import CUBE, ForecastFolder
from app.forecasts.stac import write_stac
from app.forecasts.zones import read_zones, write_zones
from forecast.hindcast.observations import ObservationModels
from forecast.pretrained import load_model, model_folder
from forecast.region.earlier import earlier_picture
from forecast.region.familiarity import Familiarity
from forecast.region.ground import Ground, prepare_ground, write_asked
from forecast.region.images import DatedImages
from forecast.region.local_calibration import teach
from forecast.region.tiled_inference import RegionNetwork
from forecast.start import BLOCK
from preprocessing.errors import NoValidPixelsError, RequestError
from preprocessing.pairs.location import is_remote, location_of
from preprocessing.rasters.grid import whole
from preprocessing.rasters.io import blocks
from preprocessing.running.disk_space import check_space
from preprocessing.running.executor import DaskCluster, Executor, LocalPool, in_threads, one_thread
from preprocessing.running.files import write_text
from preprocessing.running.object_store import sent_folder
from preprocessing.running.output_lock import owned_folder
from preprocessing.running.partial_files import remove_partials_in
from preprocessing.tiles.cells import CELL

__all__ = [
    "asked_images",
    "forecast_images",
    "forecast_members",
    "forecast_region",
    "load_networks",
]

_log = logging.getLogger(__name__)
_NETWORKS = ("app.forecasts.members", "forecast.network.unet", "scipy.stats")


def forecast_region(
    request: ForecastRequest, *, progress: Progress | None = None
) -> ForecastFolder:
    """Forecast a region and write everything the contract lists into `request.out`.

    Args:
        request: What is asked for.
        progress: Called with `(stage, done, total)`.

    Returns:
        The results, where they were made: in a folder of this machine also where `request.out` is
        an object store, to which they were sent.

    Raises:
        RequestError: The request is wrong; nothing was written.
    """
    address = location_of(request.out)
    if is_remote(address):
        if request.dask is not None:
            raise RequestError(
                f"expected a folder for --out that the workers of --dask see, got {address}; send "
                "the results there when they are made"
            )
        with sent_folder(address, last="run.json", overwrite=request.overwrite) as folder:
            return forecast_region(replace(request, out=folder), progress=progress)
    images, area = asked_images(request)
    return forecast_images(request, images, area=area, progress=progress)


def asked_images(request: ForecastRequest) -> tuple[DatedImages, AreaOfInterest | None]:
    """The images of a request, cut to its area of interest where it has one.

    Raises:
        RequestError: See `open_images` and `read_zones`, or the years reach too far.
    """
    images = request.dated_images()
    if images.start_year + request.years > dt.MAXYEAR:
        raise RequestError(
            f"expected years up to {dt.MAXYEAR}, got {request.years} from {images.start_year}"
        )
    area = AreaOfInterest.of(images, bbox=request.bbox, aoi=request.aoi, halo=request.halo)
    if request.zones is not None:  # Refused before anything is computed.
        read_zones(request.zones, images.start.grid, area)
    return (images if area is None else area.cut(images)), area


def forecast_images(
    request: ForecastRequest,
    images: DatedImages,
    *,
    area: AreaOfInterest | None = None,
    progress: Progress | None = None,
) -> ForecastFolder:
    """`forecast_region` of images that are open.

    Args:
        request: How to forecast, and where to write.
        images: Start and history.
        area: That they were cut to.
        progress: Called with `(stage, done, total)`.

    Raises:
        RequestError: The folder may not be written to, or see `prepare_ground`.
    """
    workers = affordable_workers(request.workers, images.start.grid, request.max_memory)
    request = replace(request, workers=workers)
    identity = identity_of(request, images, area)
    with owned_folder(request.out):
        done = already_done(request.out, identity)
        missing = missing_files(request, images.start_year) if done else []
        if done and not missing and not request.overwrite:
            _log.info("%s already holds this forecast", request.out)
            remove_scratch(request.out)
            remove_partials_in(request.out)
            result = ForecastFolder.open(request.out)
        else:
            if missing:
                shown = f"{', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}"
                _log.warning("%s lacks %s; it is made again", request.out, shown)
            else:
                check_output(request, images, identity)
            result = _forecast(request, images, area, identity, progress)
        if request.zones is not None:
            write_zones(result, request.zones)
        if request.cube and not (result.folder / CUBE).exists():
            from app.forecasts.cube import write_cube  # It brings Zarr.

            write_cube(result)
    return result


def _forecast(
    request: ForecastRequest,
    images: DatedImages,
    area: AreaOfInterest | None,
    identity: dict[str, Any],
    progress: Progress | None,
) -> ForecastFolder:
    """Forecast into a folder that this process owns."""
    began = time.monotonic()
    scratch = request.out / SCRATCH
    fresh = not (request.resume and begun(request.out))
    if fresh:
        remove_scratch(request.out)
    remove_partials_in(request.out)
    scratch.mkdir(exist_ok=True)
    try:
        note_begun(request.out, identity)
        ground, valid = forecast_members(request, images, scratch, progress, area=area)
    except RequestError:
        if fresh:
            remove_scratch(request.out)
        raise
    told = whole(images.start.grid) if area is None else area.told
    areas = RegionRun(request, images, scratch).write(valid, ground, told, progress)
    record = run_record(identity, request, images, ground, areas, time.monotonic() - began)
    write_text(request.out / "run.json", json.dumps(record, indent=1))
    result = ForecastFolder.open(request.out)
    write_stac(result, model=model_folder(request.model))
    remove_scratch(request.out)
    return result


def load_networks() -> None:
    """Load what takes seconds and is not needed to read images."""
    for name in _NETWORKS:
        import_module(name)


@one_thread()
def forecast_members(
    request: ForecastRequest,
    images: DatedImages,
    scratch: Path,
    progress: Progress | None = None,
    *,
    area: AreaOfInterest | None = None,
) -> tuple[Ground, NDArray[np.bool_]]:
    """Read a region, learn from its past, and forecast its members into a folder.

    Args:
        request: How to forecast; its images are not looked at.
        images: Start and history; nothing else is read.
        scratch: Existing folder; what is there already is kept.
        progress: Called with `(stage, done, total)`.
        area: That the images were cut to; all of them where None.

    Returns:
        The ground at the start, and `(height, width)` where it was seen and is asked for.

    Raises:
        RequestError: See `prepare_ground`, or nothing was seen where it is asked for.
    """
    folder = model_folder(request.model)
    run = RegionRun(request, images, scratch)
    check_space(scratch, run.scratch_bytes - _used(scratch), "the members of this forecast")
    tick = _ticks(images, progress)
    familiarity = Familiarity.load(folder)
    observations = ObservationModels.load(folder) if request.save_observations else None
    both: Sequence[Callable[[], Any]] = [
        partial(prepare_ground, images, scratch, familiarity, tick, threads=request.workers),
        load_networks,
    ]
    (ground, valid), _ = in_threads(lambda do: do(), both, min(request.workers, len(both)))
    if not ground.seen.any():
        _log.warning(
            "%s: no square of %d x %d pixels was seen whole, so futures show no change where the "
            "probability tells it; fill the gaps, or resample the image",
            images.start.name,
            CELL,
            CELL,
        )
    if area is not None:
        valid = area.within(images, valid, zeros=ground.zeros)
        if not valid.any():
            raise NoValidPixelsError(
                f"expected an area of interest with pixels of {images.start.name} that were "
                "observed, it is smaller than one, beside the image or nodata; choose another"
            )
        write_asked(ground, valid)
    ground = _taught(ground, request, images, scratch, folder, observations)
    run.roll(folder, _executor(request), progress)
    return ground, valid


def _used(folder: Path) -> int:
    used = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # A worker of an earlier run may still be writing here.
            used += path.stat().st_size
    return used


def _ticks(images: DatedImages, progress: Progress | None) -> Callable[[], None] | None:
    """Progress of reading the start."""
    if progress is None:
        return None
    report: Progress = progress
    total = len(blocks(images.start.grid, size=BLOCK))
    done = count(1)
    return lambda: report("reading", next(done), total)


def _taught(
    ground: Ground,
    request: ForecastRequest,
    images: DatedImages,
    scratch: Path,
    folder: Path,
    observations: ObservationModels | None,
) -> Ground:
    """What the region's own past teaches."""
    height, width = ground.objects.shape
    network = RegionNetwork(
        load_model(folder),
        height=height,
        width=width,
        gsd_m=images.start.grid.gsd_m,
        zeros=ground.zeros,
    )

    def picture(date: int) -> NDArray[np.float32]:
        ago = float(ground.earlier.years[date])
        source = min(images.earlier, key=lambda image: abs(image.years - ago)).source
        return earlier_picture(images.start, source, ground.cells.shape, ground.zeros)

    return teach(
        ground,
        scratch,
        network,
        observations,
        picture,
        seed=request.seed,
        years=request.years,
        threads=request.workers,
        calibrate=request.calibrate,
    )


def _executor(request: ForecastRequest) -> Executor | None:
    if request.dask is not None:
        return DaskCluster(request.dask)
    workers = min(request.workers, request.members)
    return LocalPool(workers) if workers > 1 else None
