"""A run that is not done: how far it is, and what can be done about it."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from app.runs import Run, RunNotFoundError, RunStateError, State
from app.web.service import service
from app.web.texts import text
from preprocessing.errors import RequestError

__all__ = ["show_ended", "watch"]


@st.fragment(run_every=1.0)
def watch(name: str) -> None:
    """Follow a run until it has ended; the rest of the page stays as it is meanwhile."""
    try:
        run = service().runs.get(name)
    except RunNotFoundError:
        st.rerun()
    if run.state.ended:
        st.rerun()
    with st.container(border=True):
        left, right = st.columns([5, 1], vertical_alignment="center")
        with left:
            st.progress(_share(run), _said(run))
        if right.button(text("cancel"), key="cancel", width="stretch"):
            with suppress(RunStateError):  # It has ended in this very moment.
                service().runs.cancel(name)
            st.rerun()
    st.caption(text("leave"))


def show_ended(run: Run) -> None:
    """A run that failed or was cancelled."""
    if run.state is State.failed:
        st.error(text(f"failed_{run.kind}", why=service().runs.plain(Exception(run.message or ""))))
    else:
        st.info(text(f"cancelled_{run.kind}"))
    left, right, _ = st.columns([1, 1, 3])
    if left.button(text("resume"), key="resume", width="stretch"):
        try:
            service().runs.resume(run.id)
            st.rerun()
        except RequestError as err:
            st.error(service().runs.plain(err))
    if right.button(text("delete"), key="delete", width="stretch"):
        service().runs.remove(run.id)
        st.query_params.pop("run", None)
        st.rerun()


def _share(run: Run) -> float:
    stage = run.stage
    return 0.0 if stage is None or not stage.total else min(1.0, stage.done / stage.total)


def _said(run: Run) -> str:
    if run.state is not State.running:
        return text(f"state_{run.state}")
    if run.stage is None:
        return text("loading")
    stage = run.stage
    said = text(
        "stage", name=text(f"stage_{_plain(stage.name)}"), done=stage.done, total=stage.total
    )
    if stage.seconds_left is None:
        return said
    seconds = round(stage.seconds_left)
    left = f"{seconds // 60}:{seconds % 60:02d}"
    return f"{said} · {text('time_left', left=left)}"


def _plain(name: str) -> str:
    """Which of the stages that have a name of their own."""
    for known in ("reading", "forecasting", "writing", "searching", "fetching"):
        if name.startswith(known):
            return known
    return "other"
