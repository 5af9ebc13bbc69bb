"""The list of runs, and which of them is shown: the address of the page says it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import streamlit as st

from app.runs import Kind, Run, RunFolder, State
from app.web.demo import DEMO_RUN
from app.web.service import service
from app.web.texts import moment, text
from preprocessing.errors import RequestError
from preprocessing.rasters.io import RasterSource

__all__ = ["chosen_run", "list_runs", "open_run", "title_of"]

_ICONS = {
    State.queued: ":material/schedule:",
    State.running: ":material/progress_activity:",
    State.interrupted: ":material/restart_alt:",
    State.cancelled: ":material/cancel:",
    State.failed: ":material/error:",
    State.done: ":material/check_circle:",
}
_FETCHED, _FETCH_DONE = ":material/satellite_alt:", (Kind.fetch, State.done)
_SHOWN = 12


def chosen_run() -> Run | None:
    """The run of the address; without one the demo, or the newest that is done."""
    runs = service().runs.all
    asked = st.query_params.get("run")
    found = next((run for run in runs if run.id == asked), None)
    if asked is not None and found is None:
        st.warning(text("run_unknown"))
    if found is not None:
        return found
    done = [run for run in runs if run.state is State.done]
    return next((run for run in done if run.id == DEMO_RUN), done[0] if done else None)


def open_run(name: str) -> None:
    """Show a run, as from its link."""
    kept = {"lang": st.query_params["lang"]} if "lang" in st.query_params else {}
    st.query_params.from_dict({**kept, "run": name})
    st.session_state["area"] = None
    st.session_state["source"] = "place"


def list_runs(shown: Run | None) -> None:
    """Past runs, the newest first; those that ended can be deleted."""
    runs = service().runs.all
    for run in runs[:_SHOWN]:
        when = moment(run.created)
        title = title_of(service().runs.folder(run.id))
        label = title if run.id == DEMO_RUN else f"{title} · {when}"
        st.button(
            label,
            key=f"run-{run.id}",
            icon=_FETCHED if (run.kind, run.state) == _FETCH_DONE else _ICONS[run.state],
            help=text(f"state_{run.state}"),
            type="secondary" if shown is not None and run.id == shown.id else "tertiary",
            on_click=open_run,
            args=(run.id,),
        )
    if len(runs) > _SHOWN:
        st.caption(text("more_runs", count=len(runs) - _SHOWN))


def title_of(folder: RunFolder) -> str:
    """What to call a run."""
    return text("demo") if folder.path.name == DEMO_RUN else _title(folder)


@lru_cache(maxsize=512)
def _title(folder: RunFolder) -> str:
    try:
        if folder.kind is Kind.fetch:
            asked = folder.read_fetch()
            return f"{asked.collection} {asked.years[0]}-{asked.years[-1]}"
        return _place(folder.path / folder.read_request().images[-1])
    except (OSError, RequestError):
        # It was deleted by somebody else meanwhile, or came from elsewhere.
        return folder.path.name


def _place(image: Path) -> str:
    """Its name, and where it lies if that is a year alone."""
    if not image.stem.isdigit():
        return image.stem
    grid = RasterSource.open(image, bands=(1, 1, 1), value_range=(0.0, 1.0), year=1).grid
    middle = grid.lon_lat([(grid.width / 2, grid.height / 2)])
    if middle is None:
        return image.stem
    (longitude,), (latitude,) = middle
    return f"{image.stem} · {latitude:.2f}, {longitude:.2f}"
