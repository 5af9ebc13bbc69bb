"""Styles for QGIS, which takes `NAME.qml` for `NAME.tif` by itself."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import matplotlib
import numpy as np
from matplotlib.colors import to_hex

from preprocessing.running.files import write_text

__all__ = ["style_path", "write_probability_style"]

_COLOURS, _STOPS = "viridis", 11  # As on the page.
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def style_path(raster: Path) -> Path:
    """Where QGIS looks for the style of a raster."""
    return raster.with_suffix(".qml")


def write_probability_style(raster: Path) -> Path:
    """Write the style of a raster of probabilities: colours from 0 to 100 %."""
    root = Element("qgis", version="3.22", styleCategories="Symbology")
    drawn = SubElement(
        SubElement(root, "pipe"),
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        alphaBand="-1",
        opacity="1",
        classificationMin="0",
        classificationMax="1",
        nodataColor="",
    )
    ramp = SubElement(
        SubElement(drawn, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        minimumValue="0",
        maximumValue="1",
        clip="0",
    )
    for value in np.linspace(0, 1, _STOPS):
        colour = to_hex(matplotlib.colormaps[_COLOURS](float(value)))
        label = f"{100 * value:.0f} %"
        SubElement(ramp, "item", value=f"{value:g}", color=colour, alpha="255", label=label)
    indent(root)
    return write_text(style_path(raster), _DOCTYPE + tostring(root, encoding="unicode") + "\n")
