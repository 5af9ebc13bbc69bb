"""The form that asks for a forecast, and the run that comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st

from app.forecasts.request import ForecastRequest
from app.runs import Run, RunFolder
from app.runs.folder import RESULT
from app.web.forecasts.images import Images, keep
from app.web.forecasts.uploads import offered_polygons
from app.web.service import service
from app.web.texts import text
from preprocessing.areas.uploaded import check_polygon_upload
from preprocessing.errors import RequestError

__all__ = ["ask_forecast", "choose_source"]


def choose_source(place: bool) -> str:
    """Where the images of the next forecast come from: place, own or search.

    Args:
        place: Whether there is a place whose images can be taken.
    """
    sources = [*(["place"] if place else []), "own", "search"]
    if st.session_state.get("source") not in sources:
        st.session_state["source"] = sources[0]
    return str(
        st.segmented_control(
            text("source"),
            sources,
            format_func=lambda name: text(f"source_{name}"),
            key="source",
            required=True,
            label_visibility="collapsed",
            width="stretch",
        )
    )


def ask_forecast(images: Images) -> Run | None:
    """The form; the run when it was sent and accepted."""
    start = images.years[-1]
    if len(images.years) > 1:
        start = st.selectbox(
            text("start"), images.years[::-1], help=text("start_help"), key=f"start-{images.key}"
        )
    years = st.number_input(text("years_ahead"), 1, 50, 5, key="years")
    members = st.number_input(text("members"), 1, 64, 8, key="members", help=text("members_help"))
    aoi = _area(images)
    with st.expander(text("more")):
        zones = offered_polygons(text("zones"), "zones", text("zones_help"))
        seed = st.number_input(text("seed"), 0, 2**31 - 1, 0, key="seed", help=text("seed_help"))
        every = st.checkbox(text("keep_members"), True, key="keep", help=text("keep_help"))
    sent = st.button(
        text("forecast"), type="primary", width="stretch", key="ask", icon=":material/play_arrow:"
    )
    if not sent:
        return None
    try:
        with service().runs.draft() as folder:
            request = ForecastRequest(
                images=keep(images, folder, start=int(start)),
                out=RESULT,
                years=int(years),
                members=int(members),
                seed=int(seed),
                bands=images.bands,
                value_range=images.value_range,
                save_members=every,
                aoi=_polygons(aoi, "aoi", folder),
                zones=_polygons(zones, "zones", folder),
            )
            return service().runs.submit(folder, request)
    except RequestError as err:
        st.error(service().runs.plain(err))
        return None


def _area(images: Images) -> Path | dict[str, Any] | None:
    """Which ground: what was drawn on a map of these images, a file, or all of it."""
    if st.session_state.get("area_of", images.key) != images.key:
        st.session_state["area"] = None
    st.session_state["area_of"] = images.key
    if not images.located:
        return None
    drawn: dict[str, Any] | None = st.session_state.get("area")
    if drawn is not None:
        st.success(text("area_drawn"), icon=":material/crop_free:")
        return drawn
    st.caption(text("area_hint"))
    return _area_file()


def _area_file() -> Path | None:
    with st.expander(text("area_file")):
        return offered_polygons(text("area_file"), "aoi", text("area_help"))


def _polygons(given: Path | dict[str, Any] | None, name: str, folder: RunFolder) -> Path | None:
    """Put polygons into the folder of a run; returns their place as seen from there."""
    if given is None:
        return None
    path = folder.uploads / name
    if isinstance(given, Path):
        path.write_bytes(given.read_bytes())
    else:
        collection = {"type": "FeatureCollection", "features": [given]}
        path.write_text(json.dumps(collection), encoding="utf-8")
    return path.rename(path.with_suffix(check_polygon_upload(path))).relative_to(folder.path)
