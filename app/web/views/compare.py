"""Pictures made worse, restored by each method, and scored."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import streamlit as st

from app.runs.requests import image_name
from app.web.cards import quiet
from app.web.service import service
from app.web.texts import text
from preprocessing.errors import LandcastError

_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)]*\)")


def main() -> None:
    """Draw the page."""
    st.header(text("page_compare"))
    st.write(text("compare_help"))
    kinds = ["png", "jpg", "jpeg", "tif", "tiff"]
    given = st.file_uploader(
        text("compare_images"), kinds, accept_multiple_files=True, key="compared"
    )
    if not st.button(text("compare"), type="primary", disabled=not given):
        return
    with tempfile.TemporaryDirectory(prefix="landcast-compare-") as scratch:
        images, out = Path(scratch) / "images", Path(scratch) / "out"
        try:
            for number, one in enumerate(given or []):
                path = images / str(number) / image_name(one.name)
                path.parent.mkdir(parents=True)
                path.write_bytes(one.getvalue())
                service().short_jobs.check(path)
            with service().short_jobs.folder(), st.spinner(text("working")):
                report = service().short_jobs.compare_now(images, out)
        except LandcastError as err:
            st.error(re.sub(rf"{re.escape(str(images))}/\d+/", "", str(err)))
            return
        st.markdown(quiet(_LINK.sub(r"\1", _IMAGE.sub("", report.read_text(encoding="utf-8")))))
        for picture in sorted(out.glob("*.png")):
            st.image(picture.read_bytes(), caption=picture.stem, width="stretch")


main()
