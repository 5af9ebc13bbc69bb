"""The HTTP service as one application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from prometheus_client import CONTENT_TYPE_LATEST

from app.api import cells, files, forecasts, runs, tiles, upscaling
from app.api.guards import BodyLimit, OtherSites, SafeHeaders, TokenGuard
from app.api.metrics import Counted, Metrics
from app.api.problems import Problem, add_problems, problems
from app.runs import Runs, ServerSettings
from app.runs.short_jobs import ShortJobs

__all__ = ["create_api"]

_ABOUT = (
    "Forecasts how landscapes change, as runs that live on the server; their rasters, map tiles "
    "and numbers; and pictures upscaled."
)
_router = APIRouter()


def create_api(settings: ServerSettings, held: Runs, jobs: ShortJobs | None = None) -> FastAPI:
    """Make the service."""
    jobs = jobs or ShortJobs(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        jobs.close()

    # The usual pages on the API load their scripts from elsewhere.
    api = FastAPI(
        title="landcast",
        version=version("landcast"),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    metrics = Metrics(held)
    api.state.settings, api.state.runs = settings, held
    api.state.short_jobs, api.state.metrics = jobs, metrics
    add_problems(api, held)
    for part in (upscaling, forecasts, runs, files, cells, tiles):
        api.include_router(part.router)
    api.include_router(_router)
    # The last one added comes first.
    api.add_middleware(BodyLimit, most=settings.upload_bytes)
    api.add_middleware(OtherSites)
    api.add_middleware(TokenGuard, token=settings.token, base_path=settings.base_path)
    api.add_middleware(Counted, metrics=metrics)
    api.add_middleware(SafeHeaders)
    api.openapi = lambda: _document(api)  # type: ignore[method-assign]
    return api


@_router.get("/health", responses={422: {}})
def health() -> dict[str, str]:
    """Whether the service answers; no token needed."""
    return {"status": "ok", "version": version("landcast")}


@_router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Metrics for Prometheus.", "content": {"text/plain": {}}},
        **problems(),
    },
)
def metrics_text(request: Request) -> Response:
    """Requests, runs by state, length of the queue."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _document(api: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with what FastAPI cannot know of failures and the token."""
    if api.openapi_schema is None:
        found = get_openapi(
            title=api.title, version=api.version, description=api.description, routes=api.routes
        )
        parts = found["components"]
        parts["schemas"]["Problem"] = Problem.model_json_schema()
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{}, {"token": []}]
        api.openapi_schema = found
    return api.openapi_schema
