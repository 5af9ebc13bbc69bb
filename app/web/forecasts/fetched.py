"""Images that a run has fetched: which, of whom, and how to take them away."""

from __future__ import annotations

import streamlit as st

from app.runs import RunFolder
from app.web.forecasts.fetching import fetch_command
from app.web.forecasts.images import images_of_run
from app.web.forecasts.links import file_links
from app.web.forecasts.mapped import map_of_images
from app.web.map import show_map
from app.web.texts import text

__all__ = ["show_fetched"]


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
    st.code(fetch_command(folder), language="bash", wrap_lines=True)
