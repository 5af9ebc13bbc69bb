"""Images without a place on Earth: a plain picture of a year instead of the map."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.forecasts.results import ForecastFolder, display_image, display_layer
from app.forecasts.styles import colour_table, top_value
from app.web.forecasts.images import Images
from app.web.texts import text

__all__ = ["show_plain"]

_LAYERS = ("forecast", "mean", "change_probability", "spread")


def show_plain(images: Images, result: ForecastFolder | None) -> None:
    """A slider over the years, a switch of layers, and the picture."""
    st.caption(text("no_place"))
    if result is None:
        newest = images.dated[-1]
        limits = images.source(newest.path).encoding
        st.image(
            display_image(newest.path, (limits.low, limits.high), bands=images.bands),
            caption=f"{images.title}, {newest.year}",
            width="stretch",
        )
        return
    st.session_state.setdefault("plain_layer", "forecast")
    layer = st.segmented_control(
        text("map_layer"),
        _LAYERS,
        format_func=lambda name: text(f"layer_{name}"),
        key="plain_layer",
        required=True,
    )
    years = [result.start_year, *result.years]
    year = int(st.select_slider(text("map_year"), years, years[-1], key="plain_year"))
    forecast = text("map_forecast" if year in result.years else "map_observed")
    st.image(_picture(result, str(layer), year), caption=f"{year}, {forecast}", width="stretch")


def _picture(result: ForecastFolder, layer: str, year: int) -> NDArray[np.uint8]:
    start = display_image(result.present, result.value_range)
    if year == result.start_year:
        return start
    path = result.path(layer, year)
    if layer in ("forecast", "mean"):
        return display_image(path, result.value_range)
    share = np.nan_to_num(display_layer(path)) / top_value(result, layer)
    colours = colour_table(layer)[np.rint(255 * share.clip(0, 1)).astype(int)]
    alpha = colours[..., 3:] / 255
    return np.asarray(np.rint(start * (1 - alpha) + colours[..., :3] * alpha), np.uint8)
