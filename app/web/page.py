"""The page: a map of past and future, a form, the film, downloads."""

from __future__ import annotations

import streamlit as st

from app.forecasts.results import ForecastFolder
from app.web.legends import time_line_html
from app.web.outputs import downloads, film, note
from app.web.scenes import Scene
from app.web.sidebar import choose_scene, forecast_form
from app.web.state import forecast_of
from app.web.view import choose_layer, show


def main() -> None:
    """Draw the page."""
    st.set_page_config("landcast", "🛰️", layout="wide")
    with st.sidebar:
        st.title("landcast")
        scene = choose_scene()
        if scene is not None:
            forecast_form(scene)
    if scene is None:
        st.header("How will this place look?")
        st.write("Choose an image in the sidebar to see its possible futures.")
        return
    result = forecast_of(scene)
    left, right = st.columns([7, 2], gap="large")
    with left:
        heading, picture = st.container(), st.container()
        year = choose_year(scene, result)
    with right:
        layer, member, opacity = choose_layer(result, year)
    with heading:
        head(scene, result, year)
    with picture:
        show(scene, result, year, layer, member, opacity)
    if result is not None:
        with left:
            note(result)
        with right:
            st.subheader("Film", divider="gray")
            film(result)
            st.subheader("Downloads", divider="gray")
            downloads(result, year)


def choose_year(scene: Scene, result: ForecastFolder | None) -> int:
    """The year slider over past and future."""
    years = [y for y in scene.years if result is None or y <= result.start_year]
    years += result.years if result is not None else ()
    if st.session_state.get("year") not in years:
        st.session_state["year"] = years[-1]
    if len(years) == 1:
        return years[0]
    year = int(st.select_slider("Year", years, key="year", label_visibility="collapsed"))
    st.html(time_line_html(years, None if result is None else result.start_year))
    return year


def head(scene: Scene, result: ForecastFolder | None, year: int) -> None:
    """Title, year, and whether it was observed or forecast."""
    name, state = st.columns([5, 2], vertical_alignment="center")
    name.markdown(f"### {scene.title} · {year}")
    if result is not None and year in result.years:
        state.badge("FORECAST", icon=":material/trending_up:", color="orange", width="stretch")
    else:
        state.badge("observed", icon=":material/photo_camera:", color="gray", width="stretch")


if __name__ == "__main__":
    main()
