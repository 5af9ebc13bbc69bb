"""`landcast upscale`: a picture, raster, film, or a folder of them, made larger."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.upscaling.networks import Upscalers
from preprocessing.errors import LandcastError, MissingFileError, OutputExistsError, RequestError
from preprocessing.pairs.location import is_remote, location_of
from preprocessing.rasters.picture import PICTURE_FORMATS, is_animated, is_picture
from preprocessing.running.output_lock import check_place, owned_file, owned_folder
from preprocessing.running.progress import Progress, untold
from preprocessing.running.resumable import check_free, resumable_output
from sr.upscale.bands import UpscaleOptions
from sr.upscale.picture import PictureJob
from sr.upscale.raster import RasterJob
from sr.upscale.video import VIDEO_FORMATS, VideoJob, is_video

__all__ = ["UpscaleRequest", "maps_path", "upscale"]

_log = logging.getLogger(__name__)

_RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img")
_MAPS = ".maps.tif"
"""Ending of what `--maps` writes; in a folder it is no image to enlarge."""


@dataclass(frozen=True)
class UpscaleRequest:
    """What to upscale.

    Attributes:
        source: Picture, raster, film, or a folder of them.
        out: File, or folder for a folder.
        options: How; `consistent` is set by the kind of file where `keep_means` is None.
        keep_means: Whether the 4x4 means of the network's output equal the input; where None, for
            rasters, whose values are measurements, and not for pictures and films, whose
            noise and compression would come back.
        model: Shipped name, model folder or file, see `load_network`; where None the shipped one
            that fits each file, see `choose_network`.
        blend: Share of the adversarial network, 0..1, of a model that is a pair (`--alpha`).
        allow_pickle: Also read a model from a `.pth` file.
        value_range: Stored values that mean black and white, for rasters.
        sensor: Name of a sensor's profile, for rasters.
        maps: Also write maps of what the result adds to the image, see `maps_path`; not of films.
        ext: Format of pictures of a folder (`png`, `jpg` ...); their own where None.
        resume: Continue an interrupted run; leave finished results as they are.
        overwrite: Replace results.
    """

    source: Path
    out: Path
    options: UpscaleOptions
    keep_means: bool | None = None
    model: str | None = None
    blend: float | None = None
    allow_pickle: bool = False
    value_range: tuple[float, float] | None = None
    sensor: str | None = None
    maps: bool = False
    ext: str | None = None
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise RequestError("expected one of --resume and --overwrite, got both")
        if self.ext is not None and f".{self.ext}" not in PICTURE_FORMATS:
            raise RequestError(f"expected --ext png, jpg, webp or tif, got {self.ext}")


def upscale(
    request: UpscaleRequest,
    *,
    progress: Progress = untold,
    notice: Callable[[str], None] | None = None,
) -> list[Path]:
    """Upscale a file or the files of a folder.

    Args:
        request: What is asked for.
        progress: Called with `(stage, done, total)`.
        notice: Called with a sentence where a network was chosen.

    Returns:
        The files written, or there already with `resume`.

    Raises:
        RequestError: The request is wrong; of a folder, all other files are done first.
    """
    address = location_of(request.source)
    upscalers = Upscalers(request, notice)
    if is_remote(address):
        return _file(request, address, request.out, upscalers, progress)
    if not request.source.exists():
        raise MissingFileError(f"expected an image, film or folder, found no {request.source}")
    if request.source.is_dir():
        return _folder(request, upscalers, progress)
    return _file(request, request.source, request.out, upscalers, progress)


def maps_path(out: Path) -> Path:
    """The maps beside a result; the whole name, as `a.png` and `a.tif` may lie in one folder."""
    return out.with_name(f"{out.name}{_MAPS}")


def _file(
    request: UpscaleRequest,
    source: str | Path,
    out: Path,
    upscalers: Upscalers,
    progress: Progress,
) -> list[Path]:
    maps = maps_path(out) if request.maps else None
    written = [out] if maps is None else [out, maps]
    with owned_file(out):
        if isinstance(source, Path) and out.resolve() == source.resolve():
            raise RequestError(f"expected another name than that of the image for --out, got {out}")
        if not check_free(out, resume=request.resume, overwrite=request.overwrite):
            if maps is not None and not maps.exists():
                raise OutputExistsError(
                    f"expected {maps.name} beside the finished {out}, found none: it was made "
                    "without --maps; pass --overwrite to make both"
                )
            return written
        check_free(maps_path(out), resume=request.resume, overwrite=request.overwrite)
        job = _job(request, source, out, maps, upscalers)
        identity = upscalers.identity(source, job.upscaler)
        with resumable_output(out, identity, resume=request.resume) as folder:
            job.run(folder, progress)
        if maps is None:  # those of the result that was replaced
            maps_path(out).unlink(missing_ok=True)
    return written


def _job(
    request: UpscaleRequest,
    source: str | Path,
    out: Path,
    maps: Path | None,
    upscalers: Upscalers,
) -> PictureJob | RasterJob | VideoJob:
    """What the kind of a file needs."""
    if isinstance(source, Path) and (is_video(source) or out.suffix.lower() in VIDEO_FORMATS):
        if maps is not None:
            raise RequestError(f"expected a picture or raster for --maps, got the film {source}")
        return VideoJob(source, out, upscalers.of(source, measured=False))
    if isinstance(source, Path) and is_picture(source):
        if request.value_range is not None or request.sensor is not None:
            raise RequestError(
                f"expected --value-range and --sensor of a raster, {source} is a picture, whose "
                "values are 0 to 255 or 65535; give a GeoTIFF with a coordinate system, or leave "
                "the option out"
            )
        return PictureJob(source, out, upscalers.of(source, measured=False), maps=maps)
    return RasterJob(
        source,
        out,
        upscalers.of(source, measured=True),
        value_range=request.value_range,
        sensor=request.sensor,
        maps=maps,
    )


def _folder(request: UpscaleRequest, upscalers: Upscalers, progress: Progress) -> list[Path]:
    plan = _plan(request)
    written: list[Path] = []
    failed: list[str] = []
    with owned_folder(request.out):
        for done, (source, out) in enumerate(plan, start=1):
            try:
                each = _of_file(progress, source.name)
                written += _file(request, source, out, upscalers, each)
            except LandcastError as err:
                failed.append(str(err))
                _log.warning("%s: %s", source.name, err)
            progress("files", done, len(plan))
    if failed:
        raise RequestError(
            f"{len(plan) - len(failed)} of {len(plan)} files of {request.source} are done, the "
            f"rest failed: {'; '.join(failed)}"
        )
    return written


def _of_file(progress: Progress, name: str) -> Progress:
    """Progress of one file, in bars of its own."""
    return lambda stage, done, total: progress(f"{stage} {name}", done, total)


def _plan(request: UpscaleRequest) -> list[tuple[Path, Path]]:
    """Files of a folder and their results.

    Raises:
        RequestError: The results lie in the folder itself, two would share a name, or there are no
            files.
    """
    check_place(request.out)
    if request.out.resolve() == request.source.resolve():
        raise RequestError(f"expected another folder for --out than {request.source}")
    plan: dict[Path, Path] = {}
    for source in sorted(request.source.iterdir()):
        suffix = source.suffix.lower()
        if source.name.startswith(".") or source.name.endswith(_MAPS) or not source.is_file():
            continue
        if suffix in _RASTERS:
            ending = ".tif"
        elif suffix == ".gif" and is_animated(source):
            ending = ".mp4"
        elif suffix in (*PICTURE_FORMATS, ".bmp", ".gif"):
            still = ".png" if suffix in (".bmp", ".gif") else suffix
            ending = f".{request.ext}" if request.ext else still
        elif is_video(source):
            ending = suffix if suffix in VIDEO_FORMATS else ".mp4"
        else:
            _log.warning("%s is no picture, raster or film: left out", source.name)
            continue
        out = request.out / f"{source.stem}{ending}"
        if out in plan:
            raise RequestError(
                f"expected files of different names in {request.source}, both {plan[out].name} and "
                f"{source.name} would become {out.name}; rename one"
            )
        plan[out] = source
    if not plan:
        raise RequestError(f"expected images or films in {request.source}, found none")
    return [(source, out) for out, source in plan.items()]
