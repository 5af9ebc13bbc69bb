"""Uploaded images: checked, dated, their bands chosen, and what is assumed of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from app.forecasts.record import assumptions
from app.forecasts.request import ForecastRequest
from app.runs.requests import image_name
from app.web.forecasts.images import Dated, Images
from app.web.forecasts.trust import plain_assumptions
from app.web.service import service
from app.web.texts import text
from forecast.region.images import open_images
from preprocessing.areas.uploaded import check_polygon_upload
from preprocessing.errors import RequestError, ValueRangeError
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.opening import check_upload, opened

__all__ = ["dated", "kept", "offered_images", "offered_polygons", "plain", "stated_limits"]
__all__ += ["visit_folder"]

_KINDS = ["tif", "tiff", "png", "jpg", "jpeg", "jp2"]


def visit_folder() -> Path:
    """Where uploads lie until they are part of a run; it goes with the visit."""
    if "visit" not in st.session_state:
        st.session_state["visit"] = tempfile.TemporaryDirectory(prefix="landcast-visit-")
    return Path(st.session_state["visit"].name)


def offered_images() -> Images | None:
    """What was uploaded; None as long as something is missing, which is said."""
    given = st.file_uploader(
        text("images"), _KINDS, accept_multiple_files=True, key="images", help=text("images_help")
    )
    if not given:
        return None
    try:
        paths = [kept(one, image_name(one.name)) for one in given]
        for path in paths:
            check_upload(path, most_pixels=service().settings.pixels)
        bands = _bands(paths[-1])
        limits = stated_limits(paths[-1], bands)
        found = [dated(path) for path in paths]
        known = tuple(sorted((one for one in found if one is not None), key=lambda one: one.year))
        if len(known) < len(paths):
            st.info(text("year_needed"))
            return None
        _notice([one.path for one in known], bands, limits)
    except RequestError as err:
        st.error(plain(err))
        return None
    key = hashlib.sha256(repr((known, bands, limits)).encode()).hexdigest()[:16]
    return Images(key, known[-1].path.name, known, bands, limits)


def offered_polygons(label: str, key: str, help_text: str) -> Path | None:
    """An uploaded file of polygons, or None."""
    given = st.file_uploader(label, ["geojson", "json", "gpkg"], key=key, help=help_text)
    if given is None:
        return None
    try:
        path = kept(given, f"{key}.polygons")
        kind = check_polygon_upload(path)
    except RequestError as err:
        st.error(plain(err))
        return None
    named = path.with_suffix(kind)
    if not named.exists():
        named.write_bytes(path.read_bytes())
    return named


def kept(upload: Any, name: str) -> Path:
    """Write an upload into the visit's folder, once."""
    mark = "".join(c for c in upload.file_id if c.isalnum())
    path = visit_folder() / mark / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(upload.getvalue())
    return path


def _bands(path: Path) -> tuple[int, int, int] | None:
    """Which bands are red, green and blue, asked where there are more than three."""
    with opened(str(path)) as dataset:
        names = [
            f"{index} {name or ''}".strip()
            for index, name in enumerate(dataset.descriptions, start=1)
        ]
    if len(names) <= 3:
        return None
    try:
        found = RasterSource.open(path, value_range=(0.0, 1.0), year=1).bands
    except RequestError:
        found = (1, 2, 3)
    st.caption(text("bands_help"))
    chosen = []
    for column, colour, index in zip(st.columns(3), ("red", "green", "blue"), found, strict=True):
        name = column.selectbox(text(colour), names, index - 1, key=f"{path.name}-{colour}")
        chosen.append(names.index(name) + 1)
    return (chosen[0], chosen[1], chosen[2])


def stated_limits(
    path: Path, bands: tuple[int, int, int] | None = None
) -> tuple[float, float] | None:
    """Which values are black and white, asked where nothing says it."""
    try:
        RasterSource.open(path, bands=bands, year=1)
    except ValueRangeError:
        st.caption(text("range_help"))
        left, right = st.columns(2)
        low = left.number_input(text("black"), value=0.0, key="low")
        high = right.number_input(text("white"), value=3000.0, key="high")
        if high <= low:
            raise RequestError(text("range_wrong")) from None
        return (low, high)
    return None


def dated(path: Path) -> Dated | None:
    """The image with its year, which is asked where the file does not say it."""
    source = RasterSource.open(path, bands=(1, 1, 1), value_range=(0.0, 1.0))
    if source.date is not None:
        return Dated(source.date.year, path)
    latest = dt.date.today().year
    year = st.number_input(
        text("year_of", name=path.name), 1900, latest, value=None, key=f"year-{path.name}"
    )
    if year is None:
        return None
    # A name that tells the year is what the forecast will read.
    named = path.with_name(f"{path.stem}_{year}{path.suffix}")
    if not named.exists():
        named.write_bytes(path.read_bytes())
    return Dated(int(year), named)


def _notice(
    paths: list[Path],
    bands: tuple[int, int, int] | None,
    limits: tuple[float, float] | None,
) -> None:
    """What a forecast of these would assume."""
    request = ForecastRequest(
        images=tuple(paths), out=Path("result"), bands=bands, value_range=limits
    )
    images = open_images(paths, bands=bands, value_range=limits)
    said = plain_assumptions(assumptions(request, images))
    if said:
        st.warning(said)


def plain(error: Exception) -> str:
    """An error without where uploads lie."""
    said = service().runs.plain(error)
    for folder in visit_folder().iterdir():
        said = said.replace(f"{folder}/", "")
    return said
