"""`landcast app` and `landcast serve`: the service, with or without the pages, on one port."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from app.runs import Runs, ServerSettings
from app.runs.short_jobs import ShortJobs
from app.web.demo import add_demo
from preprocessing.errors import RequestError

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["PortInUseError", "create_application", "serve"]

_OF_THE_API = ("/api/", "/tiles/", "/upscale", "/health", "/metrics", "/openapi.json")
_PATIENCE = 3
"""Seconds that answers may still take when the server is stopped."""
_WEBSOCKET_BYTES = 200 * 2**20


class PortInUseError(RequestError):
    """Another program listens on the port."""


def serve(
    settings: ServerSettings,
    *,
    pages: bool,
    headless: bool = False,
    notice: Callable[[str], None] | None = None,
) -> None:
    """Serve until stopped.

    Args:
        settings: Where and how.
        pages: With the pages, or the service alone.
        headless: Do not open a browser on the pages.
        notice: Called with the address once it is served.

    Raises:
        PortInUseError: The port is taken.
        RunsInUseError: Another server has the folder of runs.
    """
    with _listening(settings) as listening, Runs(settings) as runs:
        address = f"http://{settings.host}:{settings.port}{settings.base_path}/"
        if notice is not None:
            notice(address)
        if pages and not headless and _has_display():
            webbrowser.open(address)  # It waits until the server answers.
        # The runs are to be told that the server stops, however it is asked to.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        config = uvicorn.Config(
            create_application(settings, runs, pages=pages),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_PATIENCE,
            ws="websockets-sansio",
            ws_max_size=_WEBSOCKET_BYTES,
        )
        uvicorn.Server(config).run(sockets=[listening])


def create_application(settings: ServerSettings, runs: Runs, *, pages: bool) -> ASGIApp:
    """The service, and the pages beside it, as one application."""
    short_jobs = ShortJobs(settings)
    with ThreadPoolExecutor(1) as beside:
        # While that is unpacked, modules are loaded that take long.
        demo = beside.submit(add_demo, runs) if pages else None
        from app.api import create_api

        api, shown = create_api(settings, runs, short_jobs), None
        if demo is not None:
            from app.web.server import create_pages

            shown = create_pages(settings, runs, short_jobs)
            demo.result()
    return _joined(settings, api, shown)


def _joined(settings: ServerSettings, api: FastAPI, shown: Any) -> Starlette:
    from app.api.guards import TokenGuard
    from app.api.problems import problem

    guarded = None if shown is None else TokenGuard(shown, settings.token, settings.base_path)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(settings.base_path)
        if scope["type"] == "http" and f"{settings.base_path}{path}" != scope["path"]:
            said = f"expected an address below {settings.base_path}/"
            await problem(404, said)(scope, receive, send)
        elif guarded is None or (scope["type"] == "http" and path.startswith(_OF_THE_API)):
            await api({**scope, "root_path": settings.base_path}, receive, send)
        else:
            await guarded(scope, receive, send)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(api.router.lifespan_context(api))
            if shown is not None:
                await stack.enter_async_context(shown.lifespan()(app))
            yield

    return Starlette(routes=[Mount("", answer)], lifespan=lifespan)


def _listening(settings: ServerSettings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as err:
        if err.errno == errno.EADDRINUSE:
            message = f"expected a free port, {port} on {host} is in use; choose one with --port"
        else:
            message = f"expected an address of this machine, cannot listen on {host}:{port} ({err})"
        raise PortInUseError(message) from err


def _has_display() -> bool:
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
