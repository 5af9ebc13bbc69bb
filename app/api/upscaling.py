"""`POST /upscale`: a picture in, the same four times as large out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Response, UploadFile
from fastapi.concurrency import run_in_threadpool

from app.api.dependencies import HeldShortJobs
from app.api.problems import problems
from app.api.sent import write_upload
from app.runs.requests import image_name

__all__ = ["router"]

router = APIRouter()

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
) -> Response:
    """Upscale an image four times: a PNG, or a GeoTIFF of a TIFF or JPEG 2000."""
    name = image_name(image.filename or "")
    with short_jobs.folder() as folder:
        source = folder / f"image{Path(name).suffix}"
        await run_in_threadpool(write_upload, image, source)
        await run_in_threadpool(short_jobs.check, source)
        out = await short_jobs.upscale(source)
        return Response(out.read_bytes(), media_type=_TYPES[out.suffix])
