"""Rasters as pictures for the screen, remembered between reruns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.forecasts import styles
from app.forecasts.results import ForecastFolder, display_image, display_layer, display_valid

__all__ = ["LAYERS", "Layer", "image_picture", "layer_picture", "top_value"]

_SIZE = 1200


@dataclass(frozen=True)
class Layer:
    """A layer the map can show.

    Attributes:
        kind: Kind of raster in a result folder.
        label: What the page calls it.
        colours: Matplotlib colour map of a layer of numbers, or None for an image.
        says: One sentence on what it shows.
    """

    kind: str
    label: str
    colours: str | None
    says: str


LAYERS = (
    Layer("forecast", "Image", None, "One possible future: the member nearest the mean."),
    Layer("mean", "Mean", None, "The average of all members; blurred where they disagree."),
    Layer("spread", "Spread", "magma", "How far the members lie apart (standard deviation)."),
    Layer(
        "change_probability",
        "Change",
        "viridis",
        "How likely the ground is to have lastingly changed by then.",
    ),
)


def image_picture(path: Path, value_range: tuple[float, float]) -> NDArray[np.uint8]:
    """An image as `(h, w, 4)` uint8; transparent where there is no observation."""
    return _image(str(path), path.stat().st_mtime_ns, value_range)


def layer_picture(path: Path, colours: str, top: float) -> NDArray[np.uint8]:
    """A layer of numbers from 0 to `top` in colours, `(h, w, 4)` uint8."""
    return _layer(str(path), path.stat().st_mtime_ns, colours, top)


def top_value(result: ForecastFolder, kind: str) -> float:
    """The number at the bright end of a layer's colours: the same for all years."""
    return _top(str(result.folder), (result.folder / "run.json").stat().st_mtime_ns, kind)


@st.cache_data(max_entries=64, show_spinner=False)
def _image(path: str, _modified: int, value_range: tuple[float, float]) -> NDArray[np.uint8]:
    seen = display_valid(path, _SIZE)
    alpha = np.where(seen, 255, 0).astype(np.uint8)[..., None]
    return np.concatenate([display_image(path, value_range, _SIZE), alpha], axis=2)


@st.cache_data(max_entries=64, show_spinner=False)
def _layer(path: str, _modified: int, colours: str, top: float) -> NDArray[np.uint8]:
    values = display_layer(path, _SIZE)
    shown = matplotlib.colormaps[colours](np.nan_to_num(values) / top, bytes=True)
    shown[np.isnan(values), 3] = 0
    return np.asarray(shown, dtype=np.uint8)


@st.cache_data(max_entries=64, show_spinner=False)
def _top(folder: str, _modified: int, kind: str) -> float:
    return styles.top_value(ForecastFolder.open(folder), kind)
