"""Whether a forecast that is asked for may be carried out here: checked before it may wait."""

from __future__ import annotations

import re
from pathlib import Path

from app.forecasts.area_of_interest import AreaOfInterest
from app.forecasts.request import ForecastRequest
from app.forecasts.zones import read_zones
from app.runs.settings import ServerSettings
from forecast.region.images import open_images
from preprocessing.errors import RequestError, TooLargeError, UnreadableRasterError
from preprocessing.fetch import FetchRequest
from preprocessing.rasters.opening import check_upload

__all__ = ["allowed_path", "check_request", "image_name"]

_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2")
_NAME = re.compile(r"[^\W_][\w .,()+=@~-]*")
_MOST_BYTES = 200
_SHOWN = 80


def image_name(name: str) -> str:
    """The name an uploaded image is kept under: its own, which may tell its date.

    Raises:
        RequestError: It is no plain name of a file.
        UnreadableRasterError: It does not end like an image.
    """
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]} ..."
    if _NAME.fullmatch(name) is None or len(name.encode()) > _MOST_BYTES:
        raise RequestError(
            f"expected the plain name of a file, such as place_2016.tif, got {shown!a}; rename it"
        )
    if not name.lower().endswith(_SUFFIXES):
        raise UnreadableRasterError(
            f"expected an image ({', '.join(_SUFFIXES)}), got {shown!a}; export it as GeoTIFF"
        )
    return name


def allowed_path(name: str, settings: ServerSettings) -> Path:
    """A file on the server that may be forecast.

    Raises:
        RequestError: It does not lie in one of the folders that are allowed, or is no file.
    """
    try:
        path = Path(name).resolve(strict=True)
        inside = any(path.is_relative_to(folder.resolve()) for folder in settings.folders)
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside or not path.is_file():
        raise RequestError(
            f"expected a file in a folder that this server allows, got {name[:_SHOWN]!a}; upload "
            "it instead"
        )
    return path


def check_request(
    folder: Path, request: ForecastRequest | FetchRequest, settings: ServerSettings
) -> None:
    """Refuse what could not be forecast or fetched, or would be too much.

    Args:
        folder: Of the run; what its request names is seen from here.
        request: What is asked for.
        settings: With the limits.

    Raises:
        TooLargeError: An image or the forecast is larger than allowed.
        RequestError: An image is none, or the request does not fit it.
    """
    if isinstance(request, FetchRequest):
        _check_fetch(request, settings)
    else:
        _check_forecast(folder, request, settings)


def _check_fetch(request: FetchRequest, settings: ServerSettings) -> None:
    grid = request.grid
    if grid.height * grid.width > settings.pixels:
        raise TooLargeError(
            f"expected images of at most {settings.pixels:,} pixels, the box has {grid.width:,} x "
            f"{grid.height:,} of {request.gsd_m or request.profile.gsd_m:g} m; choose a smaller one"
        )
    _check_work(len(request.years) * grid.height * grid.width, settings)


def _check_forecast(folder: Path, request: ForecastRequest, settings: ServerSettings) -> None:
    paths = [folder / path for path in request.images]
    for path in paths:
        check_upload(path, most_pixels=settings.pixels)
    images = open_images(
        paths,
        year=request.year,
        bands=request.bands,
        value_range=request.value_range,
        sensor=request.sensor,
    )
    aoi = None if request.aoi is None else folder / request.aoi
    area = AreaOfInterest.of(images, bbox=request.bbox, aoi=aoi, halo=request.halo)
    if request.zones is not None:
        read_zones(folder / request.zones, images.start.grid, area)
    part = images.start.grid if area is None else area.window
    work = max(request.years * request.members, len(paths)) * part.height * part.width
    _check_work(work, settings)


def _check_work(work: int, settings: ServerSettings) -> None:
    if work > settings.work:
        raise TooLargeError(
            "expected years x members x pixels, and images x pixels, of at most "
            f"{settings.work:,}, got {work:,}; ask for fewer, or for a part of the image"
        )
