"""Colours of layers of numbers: tables for pictures, and styles for QGIS.

QGIS takes `NAME.qml` for `NAME.tif` by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from app.forecasts.results import ForecastFolder
from preprocessing.running.files import write_text

__all__ = [
    "class_colours",
    "colour_table",
    "style_path",
    "top_value",
    "write_probability_style",
    "write_spread_style",
]

_PROBABILITY, _SPREAD, _STOPS = "viridis", "magma", 11  # Probability as on the page.
_COLOURS = {"change_probability": _PROBABILITY, "spread": _SPREAD}
_CLASSES = 10
_SIZE = 1200
_OPAQUE = 0.25
"""Share of the top value from which colours are opaque: small values leave the ground visible."""
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def colour_table(kind: str) -> NDArray[np.uint8]:
    """Colours `(256, 4)` of a layer from 0, transparent, to its top value.

    Raises:
        KeyError: It is no layer of numbers.
    """
    shares = np.linspace(0, 1, 256)
    table = np.array(matplotlib.colormaps[_COLOURS[kind]](shares, bytes=True))
    table[:, 3] = np.rint(255 * _alpha(shares))
    return table


def class_colours(kind: str) -> NDArray[np.uint8]:
    """Colours `(10, 4)` of equal steps from 0 to a layer's top value, as in the map's legend.

    Raises:
        KeyError: It is no layer of numbers.
    """
    middles = np.rint(255 * (np.arange(_CLASSES) + 0.5) / _CLASSES).astype(int)
    return np.take(colour_table(kind), middles, axis=0)


def _alpha(share: Any) -> Any:
    return np.minimum(share / _OPAQUE, 1)


def top_value(result: ForecastFolder, kind: str) -> float:
    """The number at the end of a layer's colours: the same for all years.

    Args:
        result: The forecast.
        kind: `spread` or `change_probability`.
    """
    if kind == "change_probability":
        return 1.0
    last = result.layer(kind, result.years[-1], max_size=_SIZE)
    top = float(np.nanpercentile(last, 99.5)) if np.isfinite(last).any() else 0.0
    return max(top, 1e-6)


def style_path(raster: Path) -> Path:
    """Where QGIS looks for the style of a raster."""
    return raster.with_suffix(".qml")


def write_probability_style(raster: Path) -> Path:
    """Write the style of a raster of probabilities: colours from 0, transparent, to 100 %."""
    return _write(raster, _PROBABILITY, 1.0, lambda value: f"{100 * value:.0f} %")


def write_spread_style(raster: Path, high: float) -> Path:
    """Write the style of a raster of spread: colours from 0, transparent, to `high`."""
    return _write(raster, _SPREAD, high, lambda value: f"{value:.3g}")


def _write(raster: Path, colours: str, high: float, label: Callable[[float], str]) -> Path:
    root = Element("qgis", version="3.22", styleCategories="Symbology")
    drawn = SubElement(
        SubElement(root, "pipe"),
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        alphaBand="-1",
        opacity="1",
        classificationMin="0",
        classificationMax=f"{high:g}",
        nodataColor="",
    )
    ramp = SubElement(
        SubElement(drawn, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        minimumValue="0",
        maximumValue=f"{high:g}",
        clip="0",
    )
    for share in np.linspace(0, 1, _STOPS).tolist():
        SubElement(
            ramp,
            "item",
            value=f"{high * share:g}",
            color=to_hex(matplotlib.colormaps[colours](share)),
            alpha=f"{255 * _alpha(share):.0f}",
            label=label(high * share),
        )
    indent(root)
    return write_text(style_path(raster), _DOCTYPE + tostring(root, encoding="unicode") + "\n")
