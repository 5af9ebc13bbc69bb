"""How much ground is expected to change: of the region, and of zones."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.forecasts.results import ZONES, ForecastFolder
from app.runs import RunFolder
from app.web.forecasts.area_chart import ChangedByYear, area_table, show_chart
from app.web.forecasts.links import file_links
from app.web.forecasts.uploads import offered_polygons
from app.web.service import service
from app.web.texts import number, text
from preprocessing.errors import LandcastError

__all__ = ["show_numbers", "zone_links"]

_AREAS = ("year", "changed_ha", "changed_ha_5", "changed_ha_50", "changed_ha_95")


def show_numbers(folder: RunFolder, result: ForecastFolder) -> None:
    """A chart by year with what is expected and the range of 5 to 95 %, and zones of a file."""
    _ask_zones(folder)
    tables = {text("whole_region"): _region(result), **_zones(_zones_of(folder), result)}
    tables = {name: table for name, table in tables.items() if table}
    if not tables:
        st.info(text("no_area"))
        return
    name = next(iter(tables))
    if len(tables) > 1:
        name = st.selectbox(text("area_of"), list(tables), key="numbers")
        file_links(folder, zone_links(folder))
    table = tables[name]
    unit = text("unit_ha") if _hectares(result) else str(result.run["changed_area"]["unit"])
    last = table[-1]
    st.markdown(
        text(
            "area_sentence",
            year=last.year,
            expected=number(last.expected),
            low=number(last.low),
            high=number(last.high),
            unit=unit,
        )
    )
    show_chart(table, result.start_year, unit)
    with st.expander(text("as_table")):
        st.markdown(area_table(table))


def _ask_zones(folder: RunFolder) -> None:
    """Tell the numbers of zones of a file; the forecast stays as it is."""
    with st.expander(text("zones_of_file")):
        path = offered_polygons(text("zones"), f"zones-{folder.path.name}", text("zones_help"))
    if path is None or st.session_state.get("counted") == path:
        return
    st.session_state.pop("counted", None)
    st.session_state.pop("zones_of", None)
    try:
        with service().short_jobs.folder(), st.spinner(text("working")):
            found = service().short_jobs.zones_now(folder, path)
    except LandcastError as err:
        st.error(service().runs.plain(err).replace(f"{path.parent}/", ""))
    else:
        st.session_state["counted"] = path
        st.session_state["zones_of"] = {folder.path.name: found}


def _zones_of(folder: RunFolder) -> Path:
    """Where the tables of zones are: of the file that this visit gave last, or of the run."""
    given: dict[str, Path] = st.session_state.get("zones_of", {})
    return given.get(folder.path.name, folder.result)


def _hectares(result: ForecastFolder) -> bool:
    return bool(result.run.get("changed_area", {}).get("unit", "hectares") == "hectares")


def zone_links(folder: RunFolder) -> list[tuple[str, str]]:
    """Addresses of the tables of zones below that of the run, and what to call them."""
    tables = [_zones_of(folder) / name for name in ZONES]
    return [
        (f"files/{path.relative_to(folder.result)}", text(f"zones{path.suffix}"))
        for path in tables
        if path.is_file()
    ]


def _region(result: ForecastFolder) -> list[ChangedByYear]:
    found = result.run.get("changed_area", {})
    return [
        ChangedByYear(int(year), area["expected"], area["5"], area["50"], area["95"])
        for year, area in found.items()
        if isinstance(area, dict)
    ]


def _zones(folder: Path, result: ForecastFolder) -> dict[str, list[ChangedByYear]]:
    """A table a zone, called by its first attribute, or numbered."""
    path = folder / ZONES[0]
    if not path.is_file():
        return {}
    import pandas as pd

    table = pd.read_csv(path)
    before = list(table.columns[: table.columns.get_loc("year")])
    names = table[before[0]].astype(str) if before else None
    step = len(result.years)
    found = {}
    for place, first in enumerate(range(0, len(table), step), start=1):
        rows = table.iloc[first : first + step]
        name = text("zone", number=place)
        if names is not None:
            name = f"{name}: {names.iloc[first]}"
        areas = rows[list(_AREAS)].itertuples(index=False, name=None)
        found[name] = [ChangedByYear(int(year), *values) for year, *values in areas]
    return found
