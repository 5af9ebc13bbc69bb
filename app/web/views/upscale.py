"""A picture, four times as large."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from app.runs.requests import image_name
from app.runs.video_checks import FILM
from app.web.before_after import before_after
from app.web.service import service
from app.web.texts import text
from preprocessing.errors import RequestError


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
        source = Path(folder.name) / f"image{Path(given.name).suffix.lower()}"
        try:
            if source.suffix != FILM:
                image_name(given.name)
            source.write_bytes(given.getvalue())
            service().short_jobs.check(source)
            with service().short_jobs.folder(), st.spinner(text("working")):
                out = service().short_jobs.upscale_now(source)
        except RequestError as err:
            st.error(str(err).replace(f"{folder.name}/", ""))
            return
        # The folder lives as long as the visit shows it.
        st.session_state["upscaled_folder"] = folder
        st.session_state["upscaled_id"] = given.file_id
        st.session_state["upscaled_files"] = (source, out)
    source, out = st.session_state["upscaled_files"]
    before_after(source, out)
    name = f"{Path(given.name).stem}_x4{out.suffix}"
    st.download_button(text("download"), out.read_bytes(), file_name=name, on_click="ignore")


main()
