"""The pages as one ASGI application."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.runs import Runs, ServerSettings
from app.runs.short_jobs import ShortJobs
from app.web.first_paint import first_page
from app.web.map import SCRIPT, script_address
from app.web.service import Service, provide

if TYPE_CHECKING:
    from streamlit.starlette import App

__all__ = ["PAGE", "create_pages", "streamlit_options"]

PAGE = Path(__file__).with_name("page.py")
_FOR_THE_MAP = ("mapped", "fetching", "form", "listed", "numbers", "plain", "progress", "downloads")
_FOR_COMPONENTS = ("BidiComponent", "serialization", "recordbatch", "_arrayReduce", "Html")
_LATER_S = 5.0
_FOR_GOOD = {"Cache-Control": "private, max-age=31536000, immutable"}

_THEME = {
    "theme.light.primaryColor": "#b45309",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f5f6f8",
    "theme.light.textColor": "#1b1f26",
    "theme.dark.primaryColor": "#c46a0c",
    "theme.dark.backgroundColor": "#14171c",
    "theme.dark.secondaryBackgroundColor": "#20252d",
    "theme.dark.textColor": "#e8eaee",
    "theme.baseRadius": "small",
    "theme.showWidgetBorder": True,
}


def streamlit_options(settings: ServerSettings) -> dict[str, object]:
    """Streamlit's settings for the pages: calm theme, no statistics sent, nothing watched."""
    return {
        "server.address": settings.host,
        "server.port": settings.port,
        "server.baseUrlPath": settings.base_path.strip("/"),
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": max(1, settings.upload_bytes // 2**20),
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        **_THEME,
    }


def create_pages(settings: ServerSettings, runs: Runs, short_jobs: ShortJobs) -> App:
    """Make the pages, which work on the server's own runs and short jobs."""
    from streamlit.starlette import App
    from streamlit.web import bootstrap

    options = streamlit_options(settings)
    bootstrap.load_config_options({key.replace(".", "_"): value for key, value in options.items()})
    provide(Service(settings, runs, short_jobs))
    base = f"{settings.base_path}/map"
    routes = [
        Route(
            f"{settings.base_path}/", partial(first_page, runs=runs, index=_streamlit("index.html"))
        ),
        Route(f"{base}/map.js", _script),
        Route(f"{base}/land.json", _land),
    ]
    early = Middleware(_Early, addresses=_early_scripts(settings.base_path))
    return App(PAGE, routes=routes, middleware=[early], lifespan=_warmed)


def _early_scripts(base_path: str) -> list[str]:
    """Scripts that the map needs: its own, and those that Streamlit asks for late."""
    scripts = _streamlit("static/js")
    late = [path.name for name in _FOR_COMPONENTS for path in sorted(scripts.glob(f"{name}.*.js"))]
    return [script_address(base_path), *(f"{base_path}/static/js/{name}" for name in late)]


def _streamlit(name: str) -> Path:
    """What Streamlit serves by this name."""
    import streamlit

    return Path(streamlit.__file__).parent / "static" / name


class _Early:
    """Has the browser load scripts beside the first ones of Streamlit, not after them."""

    def __init__(self, app: ASGIApp, addresses: list[str]) -> None:
        self._app = app
        self._link = ", ".join(f"<{address}>; rel=modulepreload" for address in addresses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers["Link"] = self._link
            await send(message)

        await self._app(scope, receive, sent)


@asynccontextmanager
async def _warmed(_: App) -> AsyncIterator[None]:
    """Load what the first visit would wait for, while the server answers already."""
    threading.Thread(target=_load, daemon=True).start()
    yield


def _load() -> None:
    for name in _FOR_THE_MAP:
        import_module(f"app.web.forecasts.{name}")
    time.sleep(_LATER_S)
    import_module("preprocessing.report.charts")


def _script(_: Request) -> FileResponse:
    return FileResponse(SCRIPT, media_type="text/javascript", headers=_FOR_GOOD)


def _land(_: Request) -> FileResponse:
    return FileResponse(SCRIPT.with_name("land.json"), headers=_FOR_GOOD)
