"""A picture, four times as large."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from app.runs.requests import image_name
from app.runs.video_checks import FILM
from app.web.before_after import before_after
from app.web.forecasts.uploads import stated_limits
from app.web.service import service
from app.web.texts import text
from preprocessing.errors import RequestError
from preprocessing.rasters.picture import is_picture

_RASTERS = (".tif", ".tiff", ".jp2")


def main() -> None:
    """Draw the page."""
    st.header(text("page_upscale"))
    st.write(text("upscale_help"))
    given = st.file_uploader(
        text("upscale_image"), ["png", "jpg", "jpeg", "tif", "tiff", "jp2", "mp4"], key="upscaled"
    )
    if given is None:
        return
    if st.session_state.get("upscaled_id") != given.file_id:
        folder = tempfile.TemporaryDirectory(prefix="landcast-upscaled-")
        film = Path(given.name).suffix.lower() == FILM
        try:
            name = f"image{FILM}" if film else image_name(given.name)
            source = Path(folder.name) / name
            source.write_bytes(given.getvalue())
            service().short_jobs.check(source)
            raster = source.suffix.lower() in _RASTERS and not is_picture(source)
            limits = stated_limits(source, (1, 1, 1)) if raster else None
            if limits is not None and not st.button(text("upscale_go"), type="primary"):
                return
            with service().short_jobs.folder(), st.spinner(text("working")):
                out = service().short_jobs.upscale_now(source, limits)
        except RequestError as err:
            said = str(err).replace(f"image{FILM}", given.name) if film else str(err)
            st.error(said.replace(f"{folder.name}/", ""))
            return
        # The folder lives as long as the visit shows it.
        st.session_state["upscaled_folder"] = folder
        st.session_state["upscaled_id"] = given.file_id
        st.session_state["upscaled_files"] = (source, out, limits)
    source, out, limits = st.session_state["upscaled_files"]
    name = f"{Path(given.name).stem}_x4{out.suffix}"
    st.download_button(text("download"), out.read_bytes(), file_name=name, on_click="ignore")
    before_after(source, out, limits)


main()
