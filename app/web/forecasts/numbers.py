"""How much ground is expected to change: of the region, and of zones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.forecasts.results import ZONES, ForecastFolder
from app.runs import RunFolder
from app.web.forecasts.links import file_links
from app.web.forecasts.uploads import offered_polygons
from app.web.service import service
from app.web.texts import text
from preprocessing.errors import LandcastError

__all__ = ["show_numbers", "zone_links"]

_COLOUR = "#d97706"


def show_numbers(folder: RunFolder, result: ForecastFolder) -> None:
    """A chart by year with what is expected and the range of 5 to 95 %, and zones of a file."""
    _ask_zones(folder)
    tables = {text("whole_region"): _region(result), **_zones(result)}
    tables = {name: table for name, table in tables.items() if not table.empty}
    if not tables:
        st.info(text("no_area"))
        return
    name = next(iter(tables))
    if len(tables) > 1:
        name = st.selectbox(text("area_of"), list(tables), key="numbers")
        file_links(folder, zone_links())
    table = tables[name]
    unit = text("unit_ha") if _hectares(result) else str(result.run["changed_area"]["unit"])
    last = table.iloc[-1]
    st.markdown(
        text(
            "area_sentence",
            year=int(last.year),
            expected=_plain(last.expected),
            low=_plain(last.low),
            high=_plain(last.high),
            unit=unit,
        )
    )
    st.altair_chart(_chart(table, result.start_year, unit), width="stretch")
    as_table = st.expander(text("as_table"), key="as_table", on_change="rerun")
    if as_table.open:
        shown = table.rename(columns={key: text(f"column_{key}") for key in table.columns})
        as_table.dataframe(shown, hide_index=True, width="stretch")
    st.caption(text("area_help_text"))


def _ask_zones(folder: RunFolder) -> None:
    """Tell the numbers of zones of a file; the forecast stays as it is."""
    with st.expander(text("zones_of_file")):
        path = offered_polygons(text("zones"), f"zones-{folder.path.name}", text("zones_help"))
    if path is None or st.session_state.get("counted") == path:
        return
    st.session_state["counted"] = path
    try:
        with service().upscaling.folder(), st.spinner(text("working")):
            service().upscaling.zones_now(folder, path)
    except LandcastError as err:
        st.error(service().plain(err).replace(f"{path.parent}/", ""))


def _hectares(result: ForecastFolder) -> bool:
    return bool(result.run.get("changed_area", {}).get("unit", "hectares") == "hectares")


def zone_links() -> list[tuple[str, str]]:
    """Addresses of the files of zones below that of the run, and what to call them."""
    return [(f"files/{name}", text(f"zones{Path(name).suffix}")) for name in ZONES]


def _region(result: ForecastFolder) -> pd.DataFrame:
    found = result.run.get("changed_area", {})
    rows = [
        (int(year), area["expected"], area["5"], area["50"], area["95"])
        for year, area in found.items()
        if isinstance(area, dict)
    ]
    return pd.DataFrame(rows, columns=["year", "expected", "low", "middle", "high"])


def _zones(result: ForecastFolder) -> dict[str, pd.DataFrame]:
    """A table a zone, called by its first attribute, or numbered."""
    path = result.folder / ZONES[0]
    if not path.is_file():
        return {}
    table = pd.read_csv(path)
    before = list(table.columns[: table.columns.get_loc("year")])
    names = table[before[0]].astype(str) if before else None
    step = len(result.years)
    found = {}
    for number, first in enumerate(range(0, len(table), step), start=1):
        rows = table.iloc[first : first + step]
        name = text("zone", number=number)
        if names is not None:
            name = f"{name}: {names.iloc[first]}"
        found[name] = pd.DataFrame(
            {
                "year": rows.year,
                "expected": rows.changed_ha,
                "low": rows.changed_ha_5,
                "middle": rows.changed_ha_50,
                "high": rows.changed_ha_95,
            }
        )
    return found


def _chart(table: pd.DataFrame, start: int, unit: str) -> Any:
    zero = pd.DataFrame([(start, 0.0, 0.0, 0.0, 0.0)], columns=table.columns)
    every = pd.concat([zero, table], ignore_index=True)
    years = alt.X("year:Q", title=None, axis=alt.Axis(format="d", tickMinStep=1, grid=False))
    tips = [
        alt.Tooltip("year:Q", title=text("column_year"), format="d"),
        *(
            alt.Tooltip(f"{key}:Q", title=text(f"column_{key}"), format=",.4~g")
            for key in ("expected", "low", "middle", "high")
        ),
    ]
    base = alt.Chart(every).encode(x=years, tooltip=tips)
    band = base.mark_area(opacity=0.25, color=_COLOUR).encode(
        y=alt.Y("low:Q", title=unit), y2="high:Q"
    )
    middle = base.mark_line(color=_COLOUR, strokeDash=[5, 4]).encode(y="middle:Q")
    line = base.mark_line(color=_COLOUR, point={"color": _COLOUR}, strokeWidth=3).encode(
        y="expected:Q"
    )
    return alt.layer(band, middle, line).properties(height=260)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
