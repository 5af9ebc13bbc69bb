"""Starts Streamlit on the page."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from preprocessing.errors import RequestError

__all__ = ["PAGE", "PortInUseError", "serve", "streamlit_options"]

PAGE = Path(__file__).with_name("page.py")

_THEME = {
    "theme.base": "light",
    "theme.primaryColor": "#b45309",
    "theme.backgroundColor": "#ffffff",
    "theme.secondaryBackgroundColor": "#f5f6f8",
    "theme.textColor": "#1b1f26",
    "theme.baseRadius": "small",
    "theme.showWidgetBorder": True,
}


class PortInUseError(RequestError):
    """Another program listens on the port."""


def streamlit_options(*, host: str, port: int, headless: bool) -> dict[str, object]:
    """Streamlit's settings for the page: calm theme, no statistics sent, nothing watched."""
    return {
        "server.address": host,
        "server.port": port,
        "server.headless": headless,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": 200,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        **_THEME,
    }


def serve(*, host: str = "localhost", port: int = 8501, headless: bool = False) -> None:
    """Serve the page until stopped.

    Raises:
        PortInUseError: The port is taken.
    """
    _check_free(host, port)
    from streamlit.web import bootstrap

    options = streamlit_options(host=host, port=port, headless=headless)
    flags = {key.replace(".", "_"): value for key, value in options.items()}
    bootstrap.load_config_options(flags)
    bootstrap.run(str(PAGE), False, [], flags)


def _check_free(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as err:
        if err.errno == errno.EADDRINUSE:
            message = f"expected a free port, {port} on {host} is in use; choose one with --port"
        else:
            message = f"expected an address of this machine, cannot listen on {host}:{port} ({err})"
        raise PortInUseError(message) from err
