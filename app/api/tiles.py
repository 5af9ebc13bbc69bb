"""Map tiles of the rasters of a run, in Web Mercator."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Path, Request
from PIL import Image
from pydantic import BaseModel
from rasterio.crs import CRS
from rio_tiler.io import Reader
from starlette.responses import Response

from app.api.dependencies import FinishedForecast, HeldSettings
from app.api.layers import LAYER, Layer, find_layer
from app.api.problems import problems
from app.runs import RunNotFoundError
from preprocessing.rasters.opening import opened

__all__ = ["router"]

router = APIRouter(prefix="/tiles/{run}/{layer}/{year}")

_TILE = 256
_FURTHER = 4
"""Zoom levels beyond that of the pixels at which tiles are still worth their bytes."""
_FOR_GOOD = "private, max-age=31536000, immutable"
_WGS84 = CRS.from_epsg(4326)
_PNG: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "256 x 256 pixels; transparent where there is nothing.",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "It is what the client has already."},
}


class TileJson(BaseModel):
    """Where the tiles of a layer are (TileJSON 3.0.0)."""

    tilejson: str = "3.0.0"
    name: str
    tiles: list[str]
    bounds: tuple[float, float, float, float]
    minzoom: int
    maxzoom: int
    attribution: str


def _layer(
    folder: FinishedForecast,
    layer: Annotated[
        str,
        Path(
            pattern=LAYER,
            description="observed, forecast, mean, spread, change_probability, member-00 ...",
        ),
    ],
    year: Annotated[int, Path(ge=1, le=9999)],
) -> Layer:
    return find_layer(folder, layer, year)


GivenLayer = Annotated[Layer, Depends(_layer)]


@router.get("/tilejson.json", responses=problems(404, 409))
def tile_json(
    run: str,
    layer: str,
    year: int,
    found: GivenLayer,
    settings: HeldSettings,
    request: Request,
) -> TileJson:
    """Where the tiles of a layer are, and what they cover."""
    with _reader(found) as reader:
        west, south, east, north = reader.get_geographic_bounds(_WGS84)
        zooms = reader.minzoom, reader.maxzoom
    base = f"{request.url.scheme}://{request.url.netloc}{settings.base_path}"
    return TileJson(
        name=f"{layer} {year}",
        tiles=[f"{base}/tiles/{run}/{layer}/{year}/{{z}}/{{x}}/{{y}}.png"],
        bounds=(west, south, east, north),
        minzoom=zooms[0],
        maxzoom=zooms[1] + _FURTHER,
        attribution="observed" if layer == "observed" else "landcast forecast, not an observation",
    )


@router.get("/{z}/{x}/{y}.png", response_class=Response, responses={**_PNG, **problems(404, 409)})
def tile(
    request: Request,
    found: GivenLayer,
    z: Annotated[int, Path(ge=0, le=24)],
    x: Annotated[int, Path(ge=0, lt=2**24)],
    y: Annotated[int, Path(ge=0, lt=2**24)],
) -> Response:
    """A tile of a layer as PNG."""
    stat = found.path.stat()
    marks = (request.url.path, stat.st_mtime_ns, stat.st_size)
    tag = f'"{hashlib.sha256(repr(marks).encode()).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": _FOR_GOOD}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    with _reader(found) as reader:
        picture = _drawn(reader, found, x, y, z)
    return Response(_png(picture), media_type="image/png", headers=headers)


def _drawn(reader: Any, layer: Layer, x: int, y: int, z: int) -> Any:
    if max(x, y) >= 2**z or not reader.tile_exists(x, y, z):
        return np.zeros((_TILE, _TILE, 4), np.uint8)
    read = reader.tile(
        x,
        y,
        z,
        tilesize=_TILE,
        indexes=layer.bands,
        nodata=layer.nodata,
        resampling_method="nearest",
        reproject_method="nearest",
    )
    return layer.drawn(read.data.astype(np.float32), read.mask > 0)


@contextmanager
def _reader(layer: Layer) -> Iterator[Any]:
    with opened(str(layer.path)) as dataset:
        if dataset.crs is None:
            raise RunNotFoundError(
                "expected a georeferenced image for tiles, this one has no coordinate system; "
                "take its files"
            )
        with Reader(None, dataset=dataset) as reader:
            yield reader


def _png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)  # Four times as fast.
    return buffer.getvalue()
