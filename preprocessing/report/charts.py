"""Figures and pictures as elements of a page: SVG and pixels inside the document."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["COLOURS", "INK", "chart", "look", "picture"]

COLOURS = ("#2f9e6e", "#8a9299", "#3668c4", "#d6455d", "#6b4fa0", "#c98a1b", "#1b9fb0")
"""By position of the method; told apart by their marks too."""
INK = "#22272b"

_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")  # One more than colours: 56 looks.
_LINE = "#dfe3e6"
_STYLE: dict[Any, Any] = {  # matplotlib wants each key as a literal of its own.
    "svg.fonttype": "none",
    "svg.hashsalt": "landcast",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": "#68727a",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": "#68727a",
    "ytick.color": "#68727a",
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def look(names: Sequence[str], name: str) -> tuple[str, str]:
    """Colour and mark of the method `name` among `names`."""
    number = list(names).index(name)
    return COLOURS[number % len(COLOURS)], _MARKS[number % len(_MARKS)]


def chart(
    *draw: Callable[[Axes], None],
    title: str,
    size: tuple[float, float] = (4.3, 3.0),
    ink: str = INK,
) -> Markup:
    """An image element that holds a figure as SVG.

    Args:
        *draw: Fill the axes of panels side by side.
        title: Above the first, and instead of the figure where it is not shown.
        size: Width and height in inches.
        ink: Colour of the title.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        panels = figure.subplots(1, len(draw), squeeze=False)[0]
        for axes, fill in zip(panels, draw, strict=True):
            axes.patch.set_alpha(0)
            fill(axes)
        panels[0].set_title(title, loc="left", fontsize=10, color=ink)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _element(buffer, "svg+xml", title, "chart")


def picture(
    image: Image.Image,
    alt: str,
    *,
    kind: str = "PNG",
    css: str = "",
    size: tuple[int, int] | None = None,
) -> Markup:
    """An image element.

    Args:
        image: RGB.
        alt: Instead of it where it is not shown, and beside the pointer.
        kind: `PNG` for few colours, `JPEG` for photographs.
        css: Class of the element.
        size: Width and height on the page, in pixels.
    """
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 88} if kind == "JPEG" else {"optimize": True}))
    return _element(buffer, kind.lower(), alt, css, size)


def _element(
    buffer: io.BytesIO, kind: str, alt: str, css: str, size: tuple[int, int] | None = None
) -> Markup:
    packed = base64.b64encode(buffer.getvalue()).decode()
    shape = Markup(" width='{}' height='{}'").format(*size) if size else ""
    name = Markup(" class='{}'").format(css) if css else ""
    return Markup("<img{}{} alt='{}' title='{}' src='data:image/{};base64,{}'>").format(
        name, shape, alt, alt, kind, packed
    )
