"""What a forecast is asked for, and whether its output folder may be used."""

from __future__ import annotations

import json
import shutil
from dataclasses import astuple, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.forecasts.area_of_interest import AreaOfInterest
from forecast.region.images import DatedImages, image_paths, open_images
from preprocessing.errors import OutputExistsError, RequestError
from preprocessing.pairs.location import is_remote
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.opening import opened
from preprocessing.running.files import sha256, write_text
from preprocessing.running.output_lock import contents

__all__ = [
    "SCRATCH",
    "ForecastRequest",
    "PlaceRequest",
    "already_done",
    "begun",
    "check_output",
    "identity_of",
    "note_begun",
    "remove_scratch",
]

SCRATCH = ".partial"
_REQUEST = "request.json"
_BESIDE = (".aux.xml", ".ovr")
"""What programs that show an image leave beside it: statistics and overviews."""


@dataclass(frozen=True)
class PlaceRequest:
    """What every forecast of a place is asked for with.

    Attributes:
        images: Rasters or pictures of one place, folders of them or STAC collections; the last
            date is the start, the others are its history.
        out: Folder of the results.
        seed: Member `i` depends on the seed and `i` alone.
        year: Year of the image named last, which then is the start; dates are found in metadata
            or names where None.
        model: Shipped name or model folder.
        calibrate: Learn from the region's own past where it has dates enough, see `teach`.
        overwrite: Replace earlier results in `out`.
        workers: Processes that roll members out side by side; fewer where memory is short.
        bands: One-based red, green and blue.
        value_range: Stored values that mean black and white.
        sensor: Name of a sensor's profile: band names, value range and nodata of its product.
    """

    images: tuple[Path, ...]
    out: Path
    seed: int = 0
    year: int | None = None
    model: str | None = None
    calibrate: bool = True
    overwrite: bool = False
    workers: int = 1
    bands: tuple[int, int, int] | None = None
    value_range: tuple[float, float] | None = None
    sensor: str | None = None

    def dated_images(self) -> DatedImages:
        """The images, open.

        Raises:
            RequestError: See `open_images`.
        """
        return open_images(
            image_paths(self.images),
            year=self.year,
            bands=self.bands,
            value_range=self.value_range,
            sensor=self.sensor,
        )

    def _check_between(self, **bounds: tuple[int, int]) -> None:
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise RequestError(
                    f"expected --{name} between {low} and {high}, got {getattr(self, name)}"
                )


@dataclass(frozen=True)
class ForecastRequest(PlaceRequest):
    """A forecast that is asked for.

    Attributes:
        years: How many years ahead.
        members: Size of the ensemble.
        steps: Network passes a year: 1, or None.
        save_members: Also write every member.
        save_observations: Also write an observation of every member: what a sensor would see.
        resume: Continue a forecast that was interrupted.
        max_memory: Bytes that workers may take together; all that the machine has where None.
        dask: Address of a Dask scheduler to roll members out on instead.
        bbox: West, south, east, north in degrees of the ground that is asked for; all where None.
        aoi: File of polygons of the ground that is asked for, instead.
        halo: Pixels around that ground that are forecast with it, but not told of.
        zones: File of polygons to tell the area of change of; it has no bearing on the forecast.
        cube: Also write one Zarr group of all years, likewise.
    """

    years: int = 5
    members: int = 8
    steps: int | None = None
    save_members: bool = False
    save_observations: bool = False
    resume: bool = False
    max_memory: int | None = None
    dask: str | None = None
    bbox: tuple[float, float, float, float] | None = None
    aoi: Path | None = None
    halo: int = 256
    zones: Path | None = None
    cube: bool = False

    def __post_init__(self) -> None:
        if not self.images:
            raise RequestError("expected one image or more to forecast, got none")
        self._check_between(years=(1, 100), members=(1, 1000))
        if self.steps not in (None, 1):
            raise RequestError(
                f"expected --steps 1, as forecasts take one network pass a year, got {self.steps}; "
                "leave the option out"
            )
        if not 0 <= self.seed < 2**63:
            raise RequestError(f"expected --seed of 0 to 2**63 - 1, got {self.seed}")
        if self.workers < 1:
            raise RequestError(f"expected --workers of 1 or more, got {self.workers}")
        if self.workers > 1 and self.dask is not None:
            raise RequestError("expected one of --workers and --dask, got both")
        if self.halo < 0:
            raise RequestError(f"expected --halo of 0 pixels or more, got {self.halo}")
        if self.bbox is not None and self.aoi is not None:
            raise RequestError("expected one of --bbox and --aoi, got both")
        if self.resume and self.overwrite:
            raise RequestError("expected one of --resume and --overwrite, got both")


def identity_of(
    request: ForecastRequest, images: DatedImages, area: AreaOfInterest | None = None
) -> dict[str, Any]:
    """What decides the pixels of a forecast: equal identities give equal results.

    Args:
        request: What is asked for.
        images: Start and history.
        area: What is asked for of the start; all of it where None.

    Raises:
        ModelFolderError: A model is incomplete.
    """
    # They bring torch, and a server that only hands requests on does without.
    from forecast.pretrained import DEFAULT_MODEL, model_folder, weights_sha256
    from sr.lift.shipped import SHIPPED_LIFT, lift_sha256

    start = images.start
    folder = model_folder(request.model)
    return {
        "region": start.path,
        "region_files": _files(start.path),
        "start_year": images.start_year,
        "start": _reading(start),
        "history": [
            [image.source.path, *_reading(image.source), _files(image.source.path)]
            for image in images.earlier
        ],
        "horizon_years": request.years,
        "members": request.members,
        "seed": request.seed,
        "save_members": request.save_members,
        "save_observations": request.save_observations,
        "calibrate": request.calibrate,
        "area": None if area is None else area.sha256,
        "window": None if area is None else list(astuple(area.window)),
        "bands": list(start.bands),
        "value_range": [start.encoding.low, start.encoding.high],
        "model": {
            "name": str(request.model or DEFAULT_MODEL),
            "sha256": weights_sha256(request.model),
            "files_sha256": {
                path.name: sha256(path)
                for path in sorted(folder.iterdir())
                if path.suffix in (".json", ".safetensors")
            },
        },
        "lift": {"name": SHIPPED_LIFT.name, "sha256": lift_sha256()},
        "landcast": version("landcast"),
    }


def _reading(image: RasterSource) -> list[Any]:
    """Date, bands, value range and nodata that an image is read with."""
    encoding = image.encoding
    nodata = None if encoding.nodata is None else str(encoding.nodata)
    return [str(image.date), list(image.bands), encoding.low, encoding.high, nodata]


def _files(path: str | Path) -> list[list[Any]]:
    """Name, bytes and time of the local files an image is read from, masks and mosaic parts too."""
    if is_remote(str(path)):
        return []
    with opened(str(path)) as dataset:
        files = [Path(name) for name in dataset.files if not name.endswith(_BESIDE)]
    stats = [(file.name, file.stat()) for file in sorted(files) if file.is_file()]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def already_done(out: Path, identity: dict[str, Any]) -> bool:
    """Whether `out` holds the finished result of this very request."""
    try:
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (
        not begun(out)
        and isinstance(run, dict)
        and all(run.get(key) == value for key, value in identity.items())
    )


def begun(out: Path) -> bool:
    """Whether `out` holds a forecast that is not finished.

    The request is the last thing to be put into the scratch folder and the first to be removed
    from it: a scratch folder without one holds nothing to go on from.
    """
    return (out / SCRATCH / _REQUEST).is_file()


def note_begun(out: Path, identity: dict[str, Any]) -> None:
    """Note what is being made, so that it can be gone on with."""
    write_text(out / SCRATCH / _REQUEST, json.dumps(identity))


def remove_scratch(out: Path) -> None:
    """Remove what a forecast worked on; a kill at any moment leaves it finished or not begun."""
    scratch = out / SCRATCH
    (scratch / _REQUEST).unlink(missing_ok=True)
    # A worker of an earlier run that still lives may be writing here.
    shutil.rmtree(scratch, ignore_errors=True)


def check_output(request: ForecastRequest, images: DatedImages, identity: dict[str, Any]) -> None:
    """Refuse a folder whose contents this request may not touch.

    Raises:
        OutputExistsError: `out` holds files and neither resume nor overwrite was asked for.
        RequestError: Resume was asked for, but there is nothing to resume, or something else.
    """
    out = request.out
    for image in (images.start.path, *(earlier.source.path for earlier in images.earlier)):
        if out.is_dir() and Path(image).resolve().is_relative_to(out.resolve()):
            raise OutputExistsError(
                f"expected a folder for --out beside the image, {image} lies in {out}"
            )
    if request.resume:
        try:
            found = json.loads((out / SCRATCH / _REQUEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as err:
            if (out / "run.json").is_file():
                raise RequestError(
                    f"expected an interrupted forecast in {out}, it holds a finished one that was "
                    "asked for with other arguments; choose another folder, or pass --overwrite"
                ) from err
            raise RequestError(
                f"expected an interrupted forecast in {out}, found none; start without --resume"
            ) from err
        if found != identity:
            raise RequestError(
                f"expected the arguments of the interrupted forecast in {out}, others differ: "
                f"{_differences(found, identity)}; repeat them, or start again with --overwrite"
            )
    elif not request.overwrite and out.is_dir() and any(map(_matters, contents(out))):
        raise OutputExistsError(
            f"expected an empty or new folder for --out, {out} holds files; choose another, or "
            "pass --overwrite to replace a forecast, --resume to continue an interrupted one"
        )


def _matters(path: Path) -> bool:
    """Whether a file in the output folder is worth keeping: not a run that had hardly begun."""
    return path.name != SCRATCH or (path / _REQUEST).exists()


def _differences(there: dict[str, Any], here: dict[str, Any]) -> str:
    """What two requests have in different ways, by name."""
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return ", ".join(f"{name} ({there.get(name)} there, {here.get(name)} here)" for name in names)
