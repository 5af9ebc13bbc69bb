"""Styles for QGIS, which takes `NAME.qml` for `NAME.tif` by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import matplotlib
import numpy as np
from matplotlib.colors import to_hex

from preprocessing.running.files import write_text

__all__ = ["style_path", "write_probability_style", "write_spread_style"]

_PROBABILITY, _SPREAD, _STOPS = "viridis", "magma", 11  # Probability as on the page.
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


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
            alpha="255" if share else "0",
            label=label(high * share),
        )
    indent(root)
    return write_text(style_path(raster), _DOCTYPE + tostring(root, encoding="unicode") + "\n")
