"""The pages as one ASGI application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.runs import ServerSettings

if TYPE_CHECKING:
    from streamlit.starlette import App

__all__ = ["PAGE", "create_pages", "streamlit_options"]

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


def create_pages(settings: ServerSettings) -> App:
    """Make the pages."""
    from streamlit.starlette import App
    from streamlit.web import bootstrap

    options = streamlit_options(settings)
    bootstrap.load_config_options({key.replace(".", "_"): value for key, value in options.items()})
    return App(PAGE)
