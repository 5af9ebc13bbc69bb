"""The map: past and possible futures of a place, and the form that asks for more."""

from __future__ import annotations

import streamlit as st

from app.forecasts.results import ForecastFolder
from app.runs import Kind, Run, State
from app.web.forecasts.downloads import show_downloads
from app.web.forecasts.fetching import ask_search, show_fetched, show_search
from app.web.forecasts.form import ask_forecast, choose_source
from app.web.forecasts.images import Images, images_of_run
from app.web.forecasts.listed import chosen_run, list_runs, open_run, title_of
from app.web.forecasts.mapped import map_of_images, map_of_run
from app.web.forecasts.numbers import show_numbers
from app.web.forecasts.plain import show_plain
from app.web.forecasts.progress import show_ended, watch
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
        source = choose_source(shown is not None)
    if source == "place" and shown is not None:
        _show_run(shown)  # Before the form: the map is what takes longest.
    with st.sidebar:
        images = None
        if source == "search":
            ask_search()
        else:
            images = offered_images() if source == "own" or shown is None else _images_of(shown)
        if images is not None:
            _open(ask_forecast(images))
        st.subheader(text("runs"))
        list_runs(shown)
    if source == "search":
        _open(show_search())
    elif source == "own":
        _show_images(images)


def _open(asked: Run | None) -> None:
    """Show a run that was asked for just now."""
    if asked is not None:
        st.session_state["open"] = asked.id  # Widgets can be set before they are drawn.
        st.rerun()


def _images_of(run: Run) -> Images | None:
    """What a run starts from, or has fetched; None where it is not there."""
    if run.kind is Kind.fetch and run.state is not State.done:
        return None
    try:
        return images_of_run(service().runs.folder(run.id))
    except (RequestError, OSError):
        st.error(text("images_gone"))
        return None


def _show_images(images: Images | None) -> None:
    """Uploaded images, before there is a forecast of them."""
    if images is None:
        st.header(text("welcome"))
        st.write(text("welcome_help"))
        return
    st.subheader(images.title)
    found = map_of_images(images)
    if found is None:
        show_plain(images, None)
    else:
        st.caption(text("draw_or_ask"))
        show_map(found)


def _show_run(run: Run) -> None:
    folder = service().runs.folder(run.id)
    st.subheader(title_of(folder))
    if run.state is not State.done:
        if run.state.ended:
            show_ended(run)
        else:
            watch(run.id)
        if (images := _images_of(run)) is not None and (found := map_of_images(images)) is not None:
            show_map(found)
        return
    if run.kind is Kind.fetch:
        show_fetched(folder)
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
    # What is in a tab that nobody opened would only keep the map waiting.
    names = [text("numbers"), text("take"), text("about")]
    numbers, taken, about = st.tabs(names, key="below", on_change="rerun")
    if numbers.open:
        with numbers:
            show_numbers(folder, result)
    if taken.open:
        with taken:
            show_downloads(folder, result, images)
    if about.open:
        with about:
            show_about(result)


main()
