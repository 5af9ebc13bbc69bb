"""The map: a component of MapLibre, built from `src` into `map.js`."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from app.web.service import service
from app.web.texts import CATALOGUES, text

__all__ = ["SCRIPT", "map_words", "script_address", "show_map"]

SCRIPT = Path(__file__).with_name("map.js")

# The script is larger than a message should be: it is fetched once and kept by the browser.
_LOADER = """
export default async (component) => {
  const script = await import(new URL(component.data.script, location.origin).href);
  return script.default(component);
};
"""
_component = st.components.v2.component("landcast_map", js=_LOADER)


def show_map(data: dict[str, Any]) -> None:
    """Show the map; an area that is drawn is `st.session_state["area"]`.

    Args:
        data: See `app.web.forecasts.mapped`; its `area`, where it has one, is outlined as long as
            nothing is drawn.
    """
    script = script_address(service().settings.base_path)
    area = st.session_state.get("area") or data.get("area")
    _component(
        key="map",
        data={**data, "script": script, "area": area},
        on_area_change=_take_area,
    )


def script_address(base_path: str) -> str:
    """Where the script is; it changes with what is in it."""
    return f"{base_path}/map/map.js?{_version()}"


def map_words() -> dict[str, str]:
    """The words of the component."""
    keys = [key for key in CATALOGUES["en"] if key.startswith("map_")]
    return {key.removeprefix("map_"): text(key) for key in keys}


def _take_area() -> None:
    st.session_state["area"] = st.session_state["map"]["area"]


@cache
def _version() -> str:
    return hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]
