"""Images of a place that are searched for in a STAC catalogue, and the run that fetches them."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from app.runs import Run, RunFolder
from app.runs.folder import RESULT
from app.runs.requests import check_request
from app.web.forecasts.images import images_of_run
from app.web.forecasts.links import file_links
from app.web.forecasts.mapped import map_of_box, map_of_images
from app.web.forecasts.uploads import offered_polygons
from app.web.map import show_map
from app.web.service import service
from app.web.texts import days, number, text
from preprocessing.areas.polygons import degrees_around
from preprocessing.errors import FetchError, RequestError
from preprocessing.fetch import (
    CATALOGUES,
    COLLECTIONS,
    FetchRequest,
    Season,
    YearPlan,
    parse_bbox,
    search_years,
)
from preprocessing.rasters.grid import Bounds

__all__ = ["ask_search", "show_fetched", "show_search"]

_PATIENCE_S, _TRIALS = 20.0, 1
"""Somebody waits for the search, and can repeat it."""
_YEARS = 8


@dataclass(frozen=True)
class _Found:
    """What a search has found: plans of years, and why others have none."""

    request: FetchRequest
    plans: Sequence[YearPlan]
    missing: dict[int, str]


def _chosen_box() -> Bounds | None:
    """The box in degrees of the area that was chosen: drawn, of a file, or typed.

    Raises:
        RequestError: It is none.
    """
    drawn: dict[str, Any] | None = st.session_state.get("area")
    if drawn is not None:
        shape = drawn["geometry"]
        parts = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
        xs, ys = zip(*(corner for part in parts for corner in part[0]), strict=True)
        return Bounds(min(xs), min(ys), max(xs), max(ys))
    path = st.session_state.get("searched_file")
    if path is not None:
        return degrees_around(path)
    typed = st.session_state.get("searched_box")
    return parse_bbox(typed) if typed else None


def ask_search() -> None:
    """The form of a search; what it finds is kept for `show_search`."""
    if st.session_state.get("area") is not None:
        st.success(text("searched_drawn"), icon=":material/crop_free:")
    else:
        st.caption(text("searched_hint"))
        st.text_input(
            text("searched_box"),
            key="searched_box",
            placeholder="11.30, 44.45, 11.40, 44.52",
            help=text("searched_box_help"),
        )
        with st.expander(text("area_file")):
            path = offered_polygons(text("area_file"), "searched", text("searched_file_help"))
            st.session_state["searched_file"] = path
    collection = st.selectbox(
        text("collection"),
        list(COLLECTIONS),
        format_func=lambda name: text(f"collection_{name.split('-')[0]}"),
        key="collection",
    )
    left, right = st.columns(2)
    now = dt.datetime.now(dt.UTC).year
    first = left.number_input(text("first_year"), 1972, now, now - _YEARS, key="first_year")
    last = right.number_input(text("last_year"), 1972, now, now - 1, key="last_year")
    with st.expander(text("more")):
        season = st.text_input(
            text("season"), str(Season()), key="season", help=text("season_help")
        )
        own = service().settings.catalogue
        known = [own, *(name for name in CATALOGUES if name != own)]
        catalogue = st.selectbox(text("catalogue"), known, key="catalogue")
    if not st.button(
        text("search"), type="primary", width="stretch", key="search", icon=":material/search:"
    ):
        return
    st.session_state.pop("found", None)
    try:
        box = _chosen_box()
        if box is None:
            raise RequestError(text("searched_nowhere"))
        if last < first:
            raise RequestError(text("years_wrong", first=int(first), last=int(last)))
        request = FetchRequest(
            bbox=box,
            years=tuple(range(int(first), int(last) + 1)),
            collection=str(collection),
            out=RESULT,
            season=Season.parse(season),
            catalogue=str(catalogue),
        )
        with st.spinner(text("searching")):
            st.session_state["found"] = _search(request)
    except RequestError as err:  # Nobody typed an option here.
        st.error(service().runs.plain(err).replace("--bbox ", ""))
    except FetchError as err:
        st.error(str(err).partition("; check the network")[0])
        st.caption(text("search_failed"))


def _search(request: FetchRequest) -> _Found:
    check_request(service().runs.root, request, service().settings)
    hasty = replace(request, timeout_s=_PATIENCE_S, retries=_TRIALS)
    plans, report = search_years(hasty)
    if not plans and report.failed:
        raise FetchError(next(iter(report.failed.values())))
    return _Found(request, plans, report.missing | report.failed)


def show_search() -> Run | None:
    """What was found, over a map to draw on; the run that fetches it when it was asked for."""
    st.subheader(text("search_title"))
    found: _Found | None = st.session_state.get("found")
    asked = None if found is None else _show_found(found)
    try:
        box = None if st.session_state.get("area") is not None else _chosen_box()
    except RequestError:  # Told where it was typed, when it is searched.
        box = None
    show_map(map_of_box(box, found=found is not None))
    return asked


def _show_found(found: _Found) -> Run | None:
    """The days that were found, by year, and the button that fetches them."""
    request = found.request
    box = "; ".join(number(value, 3) for value in request.bbox)
    with st.container(border=True):
        name = text(f"collection_{request.collection.split('-')[0]}")
        if not found.plans:
            st.warning(
                text("found_nothing", collection=name, box=box), icon=":material/search_off:"
            )
            return None
        st.markdown(text("found", collection=name, box=box))
        rows = [f"| {text('column_year')} | {text('found_images')} |", "|---|---|"]
        rows += [
            f"| {plan.year} | {days([scene.when.date() for scene in plan.scenes])} |"
            for plan in found.plans
        ]
        rows += [f"| {year} | {text('found_none')} |" for year in sorted(found.missing)]
        st.markdown("\n".join([*rows[:2], *sorted(rows[2:])]))
        if not st.button(text("fetch"), type="primary", key="fetch", icon=":material/download:"):
            return None
    try:
        with service().runs.draft() as folder:
            years = tuple(plan.year for plan in found.plans)
            run = service().runs.submit(folder, replace(request, years=years))
    except RequestError as err:
        st.error(service().runs.plain(err))
        return None
    del st.session_state["found"]
    return run


def show_fetched(folder: RunFolder) -> None:
    """The images on the map, the years that are missing, the credit, and links to the files."""
    images, asked = images_of_run(folder), folder.read_fetch()
    st.caption(text("fetched", first=images.years[0], last=images.years[-1]))
    missing = [str(year) for year in asked.years if year not in images.years]
    if missing:
        st.warning(text("fetched_missing", years=", ".join(missing)))
    found = map_of_images(images)
    if found is not None:
        show_map(found)
    st.caption(asked.profile.attribution.format(year=images.years[-1]))
    file_links(
        folder, [("archive.zip", text("everything")), ("files/manifest.csv", text("listed"))]
    )
    st.markdown(f"**{text('command')}**")
    st.code(_fetch_command(folder), language="bash", wrap_lines=True)


def _fetch_command(folder: RunFolder) -> str:
    """The command that fetches the same images."""
    asked = folder.read_fetch()
    parts = ["landcast", "fetch", "--bbox=" + ",".join(f"{value:.6f}" for value in asked.bbox)]
    parts += ["--years", ",".join(map(str, asked.years)), "--collection", asked.collection]
    parts += ["--season", str(asked.season), "--catalogue", asked.catalogue, "--out", "images"]
    return shlex.join(parts)
