"""What can be taken away: rasters, films, zones, the description, the command line."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.films.animation import animate_folder
from app.forecasts.request import ForecastRequest
from app.forecasts.results import ForecastFolder
from app.runs import RunFolder
from app.web.forecasts.images import Images
from app.web.forecasts.links import file_links
from app.web.forecasts.numbers import zone_links
from app.web.texts import text

__all__ = ["show_downloads"]

_FILMS = {".mp4": "video/mp4", ".gif": "image/gif", ".webp": "image/webp"}
_KINDS = ("forecast", "mean", "spread", "change_probability")


def show_downloads(folder: RunFolder, result: ForecastFolder, images: Images) -> None:
    """Links to files of the service, films made when asked for, and the command line."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{text('rasters')}**")
        year = st.selectbox(text("map_year"), result.years[::-1], key="year_taken")
        links = [("archive.zip", text("everything"))]
        links += [
            (f"files/{result.path(kind, year).name}", text(f"layer_{kind}")) for kind in _KINDS
        ]
        file_links(folder, links)
        st.caption(text("rasters_help"))
    with right:
        st.markdown(f"**{text('films')}**")
        past = [one.path for one in images.dated if one.year < result.start_year]
        columns = st.columns(len(_FILMS))
        for column, (kind, mime) in zip(columns, _FILMS.items(), strict=True):
            column.download_button(
                kind[1:].upper() if kind != ".webp" else "WebP",
                _film(result, past, kind),
                file_name=f"landcast_{result.start_year}_{result.years[-1]}{kind}",
                mime=mime,
                on_click="ignore",
                key=f"film{kind}",
                width="stretch",
            )
        st.markdown(f"**{text('tables')}**")
        links = [
            *zone_links(folder),
            ("files/collection.json", text("stac")),
            (f"files/forecast_{result.years[-1]}.json", text("stac_item", year=result.years[-1])),
            ("files/run.json", text("run_json")),
        ]
        file_links(folder, links)
    st.markdown(f"**{text('command')}**")
    request = folder.read_request()
    st.code(_command(request), language="bash", wrap_lines=True)
    for path in (request.aoi, request.zones):
        if path is not None:
            st.download_button(
                text("polygons_of_command", name=path.name),
                (folder.path / path).read_bytes(),
                file_name=path.name,
                on_click="ignore",
                key=f"polygons-{path.name}",
            )


def _film(result: ForecastFolder, past: list[Path], kind: str) -> Callable[[], bytes]:
    def make() -> bytes:
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / f"film{kind}"
            return animate_folder(result, out, past=past).read_bytes()

    return make


def _command(request: ForecastRequest) -> str:
    """The command that repeats the run, from a folder with its images."""
    parts = ["landcast", "forecast", *(path.name for path in request.images), "--out", "future"]
    parts += ["--years", str(request.years), "--members", str(request.members)]
    parts += ["--seed", str(request.seed)]
    if request.year is not None:
        parts += ["--year", str(request.year)]
    if request.bands is not None:
        parts += ["--bands", ",".join(map(str, request.bands))]
    if request.value_range is not None:
        parts += ["--value-range", ",".join(map(repr, request.value_range))]
    if request.bbox is not None:
        parts += ["--bbox", ",".join(map(repr, request.bbox))]
    if request.aoi is not None:
        parts += ["--aoi", request.aoi.name]
    if request.zones is not None:
        parts += ["--zones", request.zones.name]
    if request.save_members:
        parts.append("--save-members")
    return shlex.join(parts)
