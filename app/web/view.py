"""What the map shows: the choice of layer, member and opacity, and the drawing of it."""

from __future__ import annotations

import streamlit as st

from app.forecasts.results import ForecastFolder
from app.web.legends import legend_html
from app.web.mapview import blended, map_of
from app.web.pictures import LAYERS, Layer, image_picture, layer_picture, top_value
from app.web.scenes import Scene

__all__ = ["choose_layer", "member_name", "show"]


def choose_layer(result: ForecastFolder | None, year: int) -> tuple[Layer, int | None, float]:
    """Layer, member (None for the representative one) and opacity."""
    member = None
    if result is None:
        st.caption("Ask for a forecast in the sidebar to look ahead.")
        return LAYERS[0], member, 1.0
    observed = year not in result.years
    st.subheader("Layer", divider="gray")
    layer = st.radio(
        "Layer",
        LAYERS,
        format_func=lambda choice: choice.label,
        label_visibility="collapsed",
        key="layer",
        disabled=observed,
    )
    if observed:
        st.caption("Observed years have one layer: the image.")
        return LAYERS[0], member, 1.0
    st.caption(layer.says)
    if layer.colours is not None:
        st.html(legend_html(layer, top_value(result, layer.kind)))
    elif layer.kind == "forecast" and result.saved_members:
        choices = [None, *result.saved_members]
        member = st.selectbox("Member", choices, format_func=member_name, key="member")
    opacity = st.slider(
        f"Opacity over {result.start_year}",
        0,
        100,
        100 if layer.colours is None else 70,
        5,
        format="%d %%",
        key=f"opacity_{layer.kind}",
    )
    return layer, member, opacity / 100


def member_name(member: int | None) -> str:
    """What the member switch calls a member."""
    return "representative" if member is None else f"member {member}"


def show(
    scene: Scene,
    result: ForecastFolder | None,
    year: int,
    layer: Layer,
    member: int | None,
    opacity: float,
) -> None:
    """The map, or a plain picture where there is no georeference."""
    limits, top = scene.value_range, None
    if result is None or year not in result.years:
        bottom = image_picture(scene.path(year), limits)
    else:
        bottom = image_picture(result.present, limits)
        path = result.path(layer.kind, year, member=member)
        if layer.colours is None:
            top = image_picture(path, limits)
        else:
            top = layer_picture(path, layer.colours, top_value(result, layer.kind))
    if scene.grid.lon_lat([(0, 0)]) is None:
        st.image(blended(bottom, top, opacity), width="stretch")
    else:
        st.pydeck_chart(map_of(scene.grid, bottom, top, opacity), height=600, key="map")
