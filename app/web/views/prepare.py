"""Two rasters laid on each other: the shift, and which tiles are good for training."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from app.runs.requests import image_name
from app.web.forecasts.uploads import dated, kept, plain, stated_limits
from app.web.service import service
from app.web.texts import number, text
from preprocessing.errors import RequestError, ValueRangeError
from preprocessing.rasters.image_source import Reading
from preprocessing.rasters.io import RasterSource
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
    if None in given:
        st.button(text("prepare"), type="primary", disabled=True)
        return
    try:
        paths = [kept(one, image_name(one.name)) for one in given if one is not None]
        for path in paths:
            check_upload(path, most_pixels=service().settings.pixels)
        # The same values are black and white in both.
        limits = None if any(map(_tells_range, paths)) else stated_limits(paths[0])
        images = [one.path for one in map(dated, paths) if one is not None]
        if len(images) < len(paths):
            st.info(text("year_needed"))
            return
        if st.button(text("prepare"), type="primary"):
            with st.spinner(text("working")):
                _report(images, limits)
    except RequestError as err:
        st.error(plain(err))


def _tells_range(path: Path) -> bool:
    """Whether a file says which values are black and white."""
    try:
        RasterSource.open(path, year=1)
    except ValueRangeError:
        return False
    return True


def _report(paths: list[Path], limits: tuple[float, float] | None) -> None:
    from app.workflows import prepare_pair
    from preprocessing.report.drawings import REASON_COLOURS, histograms_chart, tile_map

    (earlier, later), reading = paths, Reading(value_range=limits)
    with tempfile.TemporaryDirectory(prefix="landcast-prepare-") as scratch:
        pair = prepare_pair(earlier, later, Path(scratch) / "store.zarr", reading=reading).pairs[0]
    good = pair.counts.get("kept", 0)
    columns = st.columns(3)
    columns[0].metric(text("shift"), f"{number(pair.shift_px, 2)} px")
    columns[1].metric(text("left_over"), f"{number(pair.residual_px, 2)} px")
    columns[2].metric(text("tiles_kept"), f"{good} / {sum(pair.counts.values())}")
    if pair.refused:
        st.warning(pair.refused)
    rows = sorted(pair.counts.items(), key=lambda item: -item[1])
    table = pd.DataFrame(rows, columns=[text("reason"), text("tiles")])
    coloured = table.style.map(
        lambda reason: f"background-color: {REASON_COLOURS.get(reason)}", subset=[text("reason")]
    )
    st.dataframe(coloured, hide_index=True, width="stretch")
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
