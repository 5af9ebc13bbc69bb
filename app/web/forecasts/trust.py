"""What a forecast is, how far to trust it, and what it assumed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from app.forecasts.results import ForecastFolder
from app.web.texts import futures, number, text

__all__ = ["plain_assumptions", "show_about", "show_skill"]

_WORTH_SAYING = 0.02
_OPTIONS = re.compile(r" \(--[^)]*\)")


def show_skill(result: ForecastFolder) -> None:
    """A banner with the skill that is known, or that none is; and what is unlike the training."""
    found = result.run.get("hindcast")
    if found is None:
        st.info(text("skill_unknown"), icon=":material/help:")
    else:
        first = result.start_year - round(found["years_ago"])
        key = "skill_flat" if found["auc"] is None else "skill_known"
        st.info(
            text(
                key,
                first=first,
                last=first + round(found["years"]),
                auc=number(found["auc"] or 0, 2),
                before=number(found["auc_before"] or 0, 2),
                expected=number(100 * found["expected"], 1),
                changed=number(100 * found["changed"], 1),
            ),
            icon=":material/insights:",
        )
    outside = result.run.get("outside_experience") or 0.0
    if outside >= _WORTH_SAYING:
        st.warning(text("outside", share=f"{100 * outside:.0f}"), icon=":material/explore_off:")


def show_about(result: ForecastFolder) -> None:
    """What this is and is not, and how it was made."""
    st.markdown(
        text(
            "projection",
            futures=futures(result.members),
            region=result.region,
            start=result.start_year,
        )
    )
    st.markdown(plain_assumptions(result.run.get("assumed", [])))
    st.caption(
        f"{text('model')} {result.model} · sha256 {result.model_sha256[:12]} · "
        f"{text('seed')} {result.seed}"
    )


def plain_assumptions(said: Sequence[str]) -> str:
    """What was assumed as a list, without the options of the command line; empty for nothing."""
    if not said:
        return ""
    lines = [_OPTIONS.sub("", one.removeprefix("assumed: ")) for one in said]
    return "\n".join([text("assumed"), *(f"- {line}" for line in lines)])
