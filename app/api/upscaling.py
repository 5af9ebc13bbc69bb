"""`POST /upscale`: a picture in, the same four times as large out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Response, UploadFile
from fastapi.concurrency import run_in_threadpool

from app.api.dependencies import HeldShortJobs, fields_of
from app.api.problems import problems
from app.api.sent import Range, numbers, write_upload
from app.runs.requests import image_name

__all__ = ["router"]

router = APIRouter(dependencies=[Depends(fields_of("image", "value_range"))])

_TYPES = {".png": "image/png", ".tif": "image/tiff"}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The image, four times as wide and high.",
        "content": dict.fromkeys(_TYPES.values(), _BYTES),
    },
    **problems(400, 403, 413, 415, 429),
}


@router.post("/upscale", response_class=Response, responses=_RESPONSES)
@router.post("/api/v1/upscale", response_class=Response, responses=_RESPONSES)
async def upscale(
    image: Annotated[UploadFile, File(description="PNG, JPEG, GeoTIFF or JPEG 2000.")],
    short_jobs: HeldShortJobs,
    value_range: Range = None,
) -> Response:
    """Upscale an image four times: a PNG, or a GeoTIFF of a TIFF or JPEG 2000."""
    with short_jobs.folder() as folder:
        source = folder / image_name(image.filename or "")
        await run_in_threadpool(write_upload, image, source)
        await run_in_threadpool(short_jobs.check, source)
        limits: Any = numbers(value_range)
        out = await short_jobs.upscale(source, limits)
        return Response(out.read_bytes(), media_type=_TYPES[out.suffix])
