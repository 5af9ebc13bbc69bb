"""The map: pictures laid on their ground by deck.gl, without any base map from elsewhere."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pydeck
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.warp import transform

from preprocessing.rasters.grid import Grid

__all__ = ["blended", "corners", "map_of"]

_WIDTH, _HEIGHT = 900, 600
_TILE = 512
_WGS84 = CRS.from_epsg(4326)


def corners(grid: Grid) -> list[list[float]]:
    """Bottom left, top left, top right and bottom right in degrees: the order of deck.gl."""
    if grid.crs is None:
        raise ValueError("expected a georeferenced grid")
    pixels = [(0, grid.height), (0, 0), (grid.width, 0), (grid.width, grid.height)]
    points = [grid.transform @ point for point in pixels]
    xs, ys = transform(grid.crs, _WGS84, [p[0] for p in points], [p[1] for p in points])
    return [[x, y] for x, y in zip(xs, ys, strict=True)]


def map_of(
    grid: Grid, bottom: NDArray[np.uint8], top: NDArray[np.uint8] | None, opacity: float
) -> pydeck.Deck:
    """A map of one picture, and another one over it.

    Args:
        grid: Where both lie.
        bottom: `(h, w, 4)` uint8.
        top: `(h, w, 4)` uint8, or None.
        opacity: Of the upper picture, 0..1.
    """
    around = corners(grid)
    layers = [_bitmap("bottom", bottom, around, 1.0)]
    if top is not None:
        layers.append(_bitmap("top", top, around, opacity))
    return pydeck.Deck(
        layers=layers,
        initial_view_state=_view(around),
        map_provider=None,  # and no map_style: an explicit one brings a base map from a CDN
        parameters={"clearColor": [0.96, 0.965, 0.97, 1]},
    )


def blended(
    bottom: NDArray[np.uint8], top: NDArray[np.uint8] | None, opacity: float
) -> NDArray[np.uint8]:
    """The same as one picture, for images without georeference."""
    below = Image.fromarray(bottom)
    if top is not None:
        above = top.copy()
        above[..., 3] = np.rint(above[..., 3] * opacity).astype(np.uint8)
        below = Image.alpha_composite(below, Image.fromarray(above).resize(below.size))
    return np.asarray(below, dtype=np.uint8)


def _bitmap(
    name: str, picture: NDArray[np.uint8], around: list[list[float]], opacity: float
) -> pydeck.Layer:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=92, method=2)
    address = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return pydeck.Layer(
        "BitmapLayer", id=name, image=f'"{address}"', bounds=around, opacity=opacity
    )


def _view(around: list[list[float]]) -> pydeck.ViewState:
    west, east = min(p[0] for p in around), max(p[0] for p in around)
    south, north = min(p[1] for p in around), max(p[1] for p in around)
    latitude = (south + north) / 2
    across = _WIDTH * 360 / (_TILE * max(east - west, 1e-9))
    along = _HEIGHT * 360 * math.cos(math.radians(latitude)) / (_TILE * max(north - south, 1e-9))
    zoom = math.log2(min(across, along)) - 0.05
    return pydeck.ViewState(
        longitude=(west + east) / 2, latitude=latitude, zoom=zoom, min_zoom=zoom - 3, max_zoom=24
    )
