"""Errors as problem details (RFC 9457): what a client reads of them, and nothing else."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from app.runs import QueueFullError, RunNotFoundError, Runs, RunStateError
from preprocessing.errors import RequestError, TooLargeError, UnreadableRasterError

__all__ = ["Problem", "add_problems", "problem", "problems"]

_log = logging.getLogger(__name__)
_MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER = "60"
_STATUSES: tuple[tuple[type[RequestError], int], ...] = (
    (QueueFullError, 429),
    (RunNotFoundError, 404),
    (RunStateError, 409),
    (TooLargeError, 413),
    (UnreadableRasterError, 415),
)
_PATTERNS = {
    "bands": "three numbers of bands such as 3,2,1",
    "value_range": "two numbers such as 0,3000",
    "bbox": "west,south,east,north in degrees such as -1.9,45.8,-1.2,46.2",
    "run": "the id of a run, 12 digits of 0-9 and a-f",
}
"""What fields must look like, in words."""
_WHEN = {
    400: "The request is wrong; `detail` says what was expected.",
    401: "The token is missing or wrong.",
    403: "A page of another site asked for it.",
    404: "There is no such thing.",
    409: "The run is not in a state for that.",
    413: "Too many bytes, pixels or years x members x pixels.",
    415: "The file is no GeoTIFF, PNG, JPEG or JPEG 2000.",
    422: "A field is missing or has no such values.",
    429: "The queue is full; `Retry-After` says when to ask again.",
}


class Problem(BaseModel):
    """What went wrong, as problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A response that tells what went wrong."""
    said = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(said.model_dump(), status, headers, _MEDIA_TYPE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures of an address, for the OpenAPI document."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _WHEN[status], "content": {_MEDIA_TYPE: schema}}
        for status in (*statuses, 401, 422)
    }


def _said(field: str, found: dict[str, Any]) -> str:
    """Of a field what was expected and what came; no regular expressions."""
    if found["type"] == "missing":
        return f"{field}: {found['msg']}"
    expected = _PATTERNS.get(field)
    if found["type"] != "string_pattern_mismatch" or expected is None:
        return f"{field}: {found['msg']}, got {found['input']!r}"
    return f"{field}: expected {expected}, got {found['input']!r}"


def add_problems(api: FastAPI, runs: Runs) -> None:
    """Have every failure answered with problem details; none shows where it came from."""

    async def refused(_: Request, error: Exception) -> Response:
        status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 400)
        headers = {"Retry-After": _RETRY_AFTER} if status == 429 else None
        return problem(status, runs.plain(error), headers)

    async def invalid(_: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        said = [_said(".".join(map(str, one["loc"][1:])), one) for one in found]
        return problem(422, "; ".join(said) or "expected other fields")

    async def other(_: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        return problem(error.status_code, error.detail, dict(error.headers or {}))

    async def failed(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "landcast failed; the log of the server tells why")

    api.add_exception_handler(RequestError, refused)
    api.add_exception_handler(RequestValidationError, invalid)
    api.add_exception_handler(HTTPException, other)
    api.add_exception_handler(Exception, failed)
