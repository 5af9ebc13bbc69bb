"""The sidebar: which scene, and what to forecast."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import streamlit as st

from app.web.scenes import Scene, demo_images, scene_of_images, scene_of_upload
from app.web.state import keep_upload, run_forecast
from preprocessing.errors import DateError, RequestError, ValueRangeError

__all__ = ["choose_scene", "forecast_form"]

_DEMO, _UPLOAD = "Demo scene", "My image"


def choose_scene() -> Scene | None:
    """The demo scene, or what was uploaded; None as long as something is missing."""
    choice = st.radio("Scene", [_DEMO, _UPLOAD], horizontal=True, key="scene")
    if choice == _DEMO:
        st.caption("A made-up landscape of the demo world; no model was trained on it.")
        return _demo()
    upload = st.file_uploader(
        "GeoTIFF, PNG or JPEG", type=["tif", "tiff", "png", "jpg", "jpeg", "jp2"], key="upload"
    )
    if upload is None:
        st.caption("Red, green and blue, taken from above. It stays on this machine.")
        return None
    return _uploaded(keep_upload(upload.name, upload.file_id, upload.getvalue()))


def forecast_form(scene: Scene) -> None:
    """The form; runs the forecast when it is sent."""
    with st.form("forecast", border=False):
        if len(scene.years) > 1:
            start = st.selectbox(
                "Start from",
                scene.years[::-1],
                help="Earlier images are its history; later ones stay hidden from the model.",
            )
        else:
            start = scene.years[0]
        years = st.number_input("Years ahead", 1, 50, 5, key="years")
        members = st.number_input(
            "Members", 1, 64, 8, key="members", help="How many futures; more takes longer."
        )
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="seed", help="Same seed, same pixels.")
        keep = st.checkbox("Keep every member", key="keep")
        sent = st.form_submit_button("Forecast", type="primary", width="stretch")
    if not sent:
        return
    try:
        run_forecast(
            scene,
            start=start,
            years=int(years),
            members=int(members),
            seed=int(seed),
            save_members=keep,
        )
    except RequestError as err:
        st.error(str(err))


@st.cache_resource(show_spinner="making the demo scene")
def _demo() -> Scene:
    return scene_of_images("Demo scene", demo_images())


def _uploaded(path: Path) -> Scene | None:
    try:
        return scene_of_upload(path)
    except (DateError, ValueRangeError):
        year = _asked_year(path)
        limits = _asked_range(path)
    except RequestError as err:
        st.error(_without_folder(err, path))
        return None
    if year is None:
        st.info("The file does not say when it was taken: enter the year.")
        return None
    try:
        return scene_of_upload(path, year=year, value_range=limits)
    except RequestError as err:
        st.error(_without_folder(err, path))
        return None


def _asked_year(path: Path) -> int | None:
    try:
        found = scene_of_upload(path, value_range=(0.0, 1.0))
    except DateError:
        latest = dt.date.today().year
        return st.number_input("Year of the image", 1900, latest, value=None, key="image_year")
    return found.years[0]


def _asked_range(path: Path) -> tuple[float, float] | None:
    try:
        scene_of_upload(path, year=2000)
    except ValueRangeError:
        low = st.number_input("Value shown black", value=0.0, key="low")
        high = st.number_input("Value shown white", value=3000.0, key="high")
        return (low, high)
    return None


def _without_folder(err: Exception, path: Path) -> str:
    return str(err).replace(str(path), path.name)
