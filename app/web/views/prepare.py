"""Two rasters laid on each other: the shift, and which tiles are good for training."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from app.runs.requests import image_name
from app.web.service import service
from app.web.texts import number, text
from preprocessing.errors import RequestError
from preprocessing.rasters.opening import check_upload

_KINDS = ["tif", "tiff", "png", "jpg", "jpeg", "jp2"]


def main() -> None:
    """Draw the page."""
    st.header(text("page_prepare"))
    st.write(text("prepare_help"))
    columns = st.columns(2)
    given = [
        column.file_uploader(text(name), _KINDS, key=f"prepare_{name}")
        for column, name in zip(columns, ("earlier", "later"), strict=True)
    ]
    ready = [one for one in given if one is not None]
    if not st.button(text("prepare"), type="primary", disabled=len(ready) < 2):
        return
    with tempfile.TemporaryDirectory(prefix="landcast-prepare-") as scratch:
        try:
            paths = []
            for number, one in enumerate(ready):
                path = Path(scratch) / str(number) / image_name(one.name)
                path.parent.mkdir()
                path.write_bytes(one.getvalue())
                check_upload(path, most_pixels=service().settings.pixels)
                paths.append(str(path))
            with st.spinner(text("working")):
                _report(paths, Path(scratch))
        except RequestError as err:
            said = str(err)
            for number in range(2):
                said = said.replace(f"{scratch}/{number}/", "")
            st.error(said)


def _report(paths: list[str], scratch: Path) -> None:
    from app.workflows import prepare_pair
    from preprocessing.report.drawings import histograms_chart, tile_map

    earlier, later = paths
    pair = prepare_pair(earlier, later, scratch / "store.zarr").pairs[0]
    kept = pair.counts.get("kept", 0)
    columns = st.columns(3)
    columns[0].metric(text("shift"), f"{number(pair.shift_px, 2)} px")
    columns[1].metric(text("left_over"), f"{number(pair.residual_px, 2)} px")
    columns[2].metric(text("tiles_kept"), f"{kept} / {sum(pair.counts.values())}")
    if pair.refused:
        st.warning(pair.refused)
    rows = sorted(pair.counts.items(), key=lambda item: -item[1])
    table = pd.DataFrame(rows, columns=[text("reason"), text("tiles")])
    st.dataframe(table, hide_index=True, width="stretch")
    # Pictures of the report, one below the other on a phone.
    left, right = st.columns(2)
    if pair.histograms is not None:
        left.html(str(histograms_chart(pair.histograms)))
    if pair.tiles:
        right.html(str(tile_map(pair.tiles)))
    st.caption(f"{text('shift')}: dx {number(pair.dx_px, 2)}; dy {number(pair.dy_px, 2)} px")
    before, after = number(pair.histogram_before, 3), number(pair.histogram_after, 3)
    st.caption(f"{text('histograms')}: {before} → {after}")


main()
