"""`POST /api/v1/forecast`: images in, a run out."""

# Without postponed annotations: FastAPI cannot resolve those of a class.

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile

from app.api.dependencies import HeldRuns, HeldSettings, fields_of
from app.api.problems import problems
from app.api.sent import NUMBER, Range, numbers, write_upload
from app.forecasts.request import ForecastRequest
from app.runs import Run, RunFolder
from app.runs.folder import RESULT
from app.runs.requests import allowed_path, image_name
from preprocessing.areas.uploaded import check_polygon_upload
from preprocessing.errors import RequestError

__all__ = ["router"]

router = APIRouter()

_Bands = Annotated[
    str | None,
    Form(pattern=r"^\d{1,3},\d{1,3},\d{1,3}$", description="Red, green and blue, such as 3,2,1."),
]
_Box = Annotated[
    str | None,
    Form(
        pattern=f"^{NUMBER},{NUMBER},{NUMBER},{NUMBER}$",
        description="West, south, east, north in degrees of the ground that is asked for.",
    ),
]


@dataclass(frozen=True)
class ForecastForm:
    """The fields of the form."""

    images: Annotated[Sequence[UploadFile], File(description="Dated images of one place.")] = ()
    paths: Annotated[
        Sequence[str], Form(description="Images on the server, in folders that it allows.")
    ] = ()
    aoi: Annotated[
        UploadFile | None, File(description="GeoPackage or GeoJSON of the ground to forecast.")
    ] = None
    zones: Annotated[
        UploadFile | None, File(description="GeoPackage or GeoJSON of zones to tell areas of.")
    ] = None
    years: Annotated[int, Form(ge=1, le=100, description="Years to look ahead.")] = 5
    members: Annotated[int, Form(ge=1, le=1000, description="Futures in the ensemble.")] = 8
    seed: Annotated[int, Form(ge=0, lt=2**63, description="Same seed, same pixels.")] = 0
    year: Annotated[
        int | None,
        Form(ge=1, le=9999, description="Of the last image, where it does not say its own."),
    ] = None
    bands: _Bands = None
    value_range: Range = None
    bbox: _Box = None
    save_members: Annotated[bool, Form(description="Keep every member.")] = False


@router.post(
    "/api/v1/forecast",
    status_code=202,
    responses=problems(400, 403, 413, 415, 429),
    dependencies=[Depends(fields_of(*(field.name for field in fields(ForecastForm))))],
)
def ask_forecast(
    form: Annotated[ForecastForm, Depends()],
    runs: HeldRuns,
    settings: HeldSettings,
    response: Response,
) -> Run:
    """Ask for a forecast; the run that makes it is told in the answer and at `Location`."""
    with runs.draft() as folder:
        images = [_kept(upload, folder) for upload in form.images]
        images += [allowed_path(name, settings) for name in form.paths]
        run = runs.submit(folder, _request(form, tuple(images), folder))
    response.headers["Location"] = f"{settings.base_path}/api/v1/runs/{run.id}"
    return run


def _request(form: ForecastForm, images: tuple[Path, ...], folder: RunFolder) -> ForecastRequest:
    bands = None if form.bands is None else tuple(map(int, form.bands.split(",")))
    limits, box = numbers(form.value_range), numbers(form.bbox)
    return ForecastRequest(
        images=images,
        out=RESULT,
        years=form.years,
        members=form.members,
        seed=form.seed,
        year=form.year,
        bands=bands,  # type: ignore[arg-type]
        value_range=limits,  # type: ignore[arg-type]
        bbox=box,  # type: ignore[arg-type]
        save_members=form.save_members,
        aoi=_polygons(form.aoi, "aoi", folder),
        zones=_polygons(form.zones, "zones", folder),
    )


def _kept(upload: UploadFile, folder: RunFolder) -> Path:
    """Keep an image; returns its path as seen from the run."""
    path = folder.uploads / image_name(upload.filename or "")
    if path.exists():
        raise RequestError(
            f"expected images of different names, two are called {path.name}; rename one"
        )
    return write_upload(upload, path).relative_to(folder.path)


def _polygons(upload: UploadFile | None, name: str, folder: RunFolder) -> Path | None:
    """Keep polygons under a name of our own."""
    if upload is None:
        return None
    path = write_upload(upload, folder.uploads / name)
    return path.rename(path.with_suffix(check_polygon_upload(path))).relative_to(folder.path)
