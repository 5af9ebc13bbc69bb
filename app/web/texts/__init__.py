"""What the pages say, in English and Russian."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from app.web.texts import en, ru

__all__ = [
    "CATALOGUES",
    "choose_language",
    "days",
    "futures",
    "language",
    "moment",
    "number",
    "text",
]

CATALOGUES = {"en": en.TEXTS, "ru": ru.TEXTS}
_NAMES = {"en": "English", "ru": "Русский"}


def language() -> str:
    """The language of this visit: what was chosen, in the address, or what the browser asks for."""
    chosen = st.session_state.get("language") or st.query_params.get("lang")
    if chosen in CATALOGUES:
        return str(chosen)
    return _of_browser()


def _of_browser() -> str:
    asked = str(getattr(st.context, "locale", "") or "en").split("-")[0]
    return asked if asked in CATALOGUES else "en"


def text(key: str, **values: Any) -> str:
    """A text of the catalogue, with values filled in."""
    return CATALOGUES[language()][key].format(**values)


def number(value: float, places: int | None = None) -> str:
    """A number as the language writes it: of so many places, or with three digits that count."""
    if places is not None:
        shown = f"{value:,.{places}f}"
    elif abs(value) >= 100:
        shown = f"{value:,.0f}"
    else:
        shown = np.format_float_positional(value, 3, fractional=False, trim="-")
    return shown.replace(",", "\u202f").replace(".", ",") if language() == "ru" else shown


def moment(when: dt.datetime) -> str:
    """Day, month and time of day where the server stands."""
    here = when.astimezone()
    return f"{_day(here.date())} {here:%H:%M}"


def futures(count: int) -> str:
    """So many possible futures, in the right form."""
    return _counted(count, "futures_forms")


def days(found: Sequence[dt.date]) -> str:
    """How many days, and the first and the last of them."""
    first, last = _day(min(found)), _day(max(found))
    span = first if first == last else text("day_span", first=first, last=last)
    return f"{_counted(len(set(found)), 'days_forms')}, {span}"


def _day(day: dt.date) -> str:
    month = text("months").split("|")[day.month - 1]
    return f"{day.day} {month}"


def _counted(count: int, key: str) -> str:
    forms = text(key).split("|")
    if language() == "ru":
        tens, ones = count % 100, count % 10
        few = 2 <= ones <= 4 and not 12 <= tens <= 14
        form = 0 if ones == 1 and tens != 11 else 1 if few else 2
    else:
        form = 0 if count == 1 else 1
    return f"{count} {forms[form]}"


def _keep_language() -> None:
    """The address tells the language too, and a page that is loaded again keeps it."""
    st.query_params["lang"] = st.session_state["language"]


def choose_language() -> None:
    """The switch."""
    st.session_state.setdefault("language", language())
    if st.session_state["language"] != _of_browser():
        _keep_language()  # Another page has an address without it.
    st.segmented_control(
        "Language / Язык",
        list(_NAMES),
        format_func=_NAMES.__getitem__,
        key="language",
        required=True,
        on_change=_keep_language,
        label_visibility="collapsed",
    )
