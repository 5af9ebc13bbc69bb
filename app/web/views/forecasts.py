"""The map: past and possible futures of a place, and the form that asks for more."""

from __future__ import annotations

import streamlit as st

from app.forecasts.results import ForecastFolder
from app.runs import Run, State
from app.web.forecasts.form import ask_forecast
from app.web.forecasts.images import Images, images_of_run
from app.web.forecasts.listed import chosen_run, list_runs, open_run, title_of
from app.web.forecasts.mapped import map_of_images, map_of_run
from app.web.forecasts.numbers import show_numbers
from app.web.forecasts.plain import show_plain
from app.web.forecasts.progress import show_ended, watch
from app.web.forecasts.taken import show_downloads
from app.web.forecasts.trust import show_about, show_skill
from app.web.forecasts.uploads import offered_images
from app.web.map import show_map
from app.web.service import service
from app.web.texts import futures, text
from preprocessing.errors import RequestError


def main() -> None:
    """Draw the page."""
    if asked_before := st.session_state.pop("open", None):
        open_run(asked_before)
    shown = chosen_run()
    with st.sidebar:
        st.subheader(text("new_forecast"))
        images, own = _choose_images(shown)
        if images is not None:
            asked = ask_forecast(images)
            if asked is not None:
                st.session_state["open"] = asked.id  # Widgets can be set before they are drawn.
                st.rerun()
        st.subheader(text("runs"))
        list_runs(shown)
    if own or shown is None:
        _show_images(images)
    else:
        _show_run(shown)


def _choose_images(shown: Run | None) -> tuple[Images | None, bool]:
    """The images of the next forecast, and whether they are the visitor's own."""
    if shown is not None:
        st.session_state.setdefault("source", "place")
        source = st.segmented_control(
            text("source"),
            ["place", "own"],
            format_func=lambda name: text(f"source_{name}"),
            key="source",
            required=True,
            label_visibility="collapsed",
            width="stretch",
        )
        if source == "place":
            try:
                return images_of_run(service().runs.folder(shown.id)), False
            except (RequestError, OSError):
                st.error(text("images_gone"))
                return None, False
    return offered_images(), True


def _show_images(images: Images | None) -> None:
    """Uploaded images, before there is a forecast of them."""
    if images is None:
        st.header(text("welcome"))
        st.write(text("welcome_help"))
        return
    st.subheader(images.title)
    st.caption(text("draw_or_ask"))
    found = map_of_images(images)
    if found is None:
        show_plain(images, None)
    else:
        show_map(found)


def _show_run(run: Run) -> None:
    folder = service().runs.folder(run.id)
    st.subheader(title_of(folder))
    if run.state is not State.done:
        if run.state.ended:
            show_ended(run)
        else:
            watch(run.id)
        _show_images_of(run)
        return
    result = ForecastFolder.open(folder.result)
    images = images_of_run(folder)
    st.caption(
        text(
            "from_to",
            start=result.start_year,
            last=result.years[-1],
            futures=futures(result.members),
        )
    )
    found = map_of_run(folder, result, images)
    if found is None:
        show_plain(images, result)
    else:
        show_map(found)
    show_skill(result)
    numbers, taken, about = st.tabs([text("numbers"), text("take"), text("about")])
    with numbers:
        show_numbers(result)
    with taken:
        show_downloads(folder, result, images)
    with about:
        show_about(result)


def _show_images_of(run: Run) -> None:
    """What a run that is not done starts from."""
    try:
        images = images_of_run(service().runs.folder(run.id))
    except (RequestError, OSError):
        return
    found = map_of_images(images)
    if found is not None:
        show_map(found)


main()
