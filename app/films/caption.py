"""The caption of a film: the year, whether it was observed or forecast, and a time line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["captioned"]

_BAR = (24, 27, 33)
_PALE = (232, 235, 240)
_DIM = (122, 130, 142)
_AMBER = (255, 176, 46)
_INK = (30, 22, 4)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def captioned(
    image: NDArray[np.uint8], index: int, years: Sequence[tuple[int, bool]]
) -> NDArray[np.uint8]:
    """Put a caption bar under a picture.

    Args:
        image: `(h, w, 3)` uint8 RGB.
        index: Which of `years` it shows.
        years: `(year, is a forecast)` of the whole film, in order.

    Returns:
        `(h + bar, w, 3)` uint8; the bar's height depends on the picture's size only. A forecast
        is framed in amber as well.
    """
    height, width = image.shape[:2]
    bar = max(36, round(min(width, 1.6 * height) * 0.11))
    canvas = Image.new("RGB", (width, height + bar), _BAR)
    canvas.paste(Image.fromarray(image), (0, 0))
    draw = ImageDraw.Draw(canvas)
    year, forecast = years[index]
    if forecast:
        line = max(2, round(min(width, height) * 0.006))
        draw.rectangle((0, 0, width - 1, height - 1), outline=_AMBER, width=line)
    margin = round(bar * 0.26)
    middle = height + bar / 2
    x = _text(draw, margin, middle, str(year), _font(bar * 0.52), _PALE) + margin * 0.8
    x = _badge(draw, x, middle, bar, forecast)
    _time_line(draw, (x + 1.6 * margin, width - 1.6 * margin), middle, bar, index, years)
    return np.asarray(canvas, dtype=np.uint8)


def _badge(draw: ImageDraw.ImageDraw, x: float, middle: float, bar: int, forecast: bool) -> float:
    """Draw FORECAST or observed; returns the right edge, the same for both."""
    font = _font(bar * 0.27)
    pad = bar * 0.17
    right = x + 2 * pad + max(draw.textlength("FORECAST", font), draw.textlength("observed", font))
    box = (x, middle - bar * 0.25, right, middle + bar * 0.25)
    if forecast:
        draw.rounded_rectangle(box, radius=bar * 0.1, fill=_AMBER)
    else:
        draw.rounded_rectangle(box, radius=bar * 0.1, outline=_DIM, width=max(1, round(bar / 40)))
    word, colour = ("FORECAST", _INK) if forecast else ("observed", _PALE)
    draw.text(((x + right) / 2, middle), word, font=font, fill=colour, anchor="mm")
    return right


def _time_line(
    draw: ImageDraw.ImageDraw,
    ends: tuple[float, float],
    middle: float,
    bar: int,
    index: int,
    years: Sequence[tuple[int, bool]],
) -> None:
    """A line from the first year to the last: past pale, future amber, a dot at the year shown."""
    left, right = ends
    first, last = years[0][0], years[-1][0]
    if right - left < bar * 1.5 or first == last:
        return
    font = _font(bar * 0.22)
    y = middle - bar * 0.1

    def place(year: int) -> float:
        return left + (right - left) * (year - first) / (last - first)

    start = max((year for year, forecast in years if not forecast), default=first)
    weight = max(2, round(bar * 0.05))
    draw.line((left, y, place(start), y), fill=_PALE, width=weight)
    draw.line((place(start), y, right, y), fill=_AMBER, width=weight)
    for year, forecast in years:
        tick = bar * 0.09
        colour = _AMBER if forecast else _PALE
        draw.line((place(year), y - tick, place(year), y + tick), fill=colour, width=weight)
    year, forecast = years[index]
    radius = bar * 0.15
    dot = (place(year) - radius, y - radius, place(year) + radius, y + radius)
    draw.ellipse(dot, fill=_AMBER if forecast else _PALE, outline=_BAR, width=weight)
    labels = [first, last]
    room = draw.textlength("0000", font) * 1.4
    if all(abs(place(start) - place(label)) > room for label in labels):
        labels.append(start)
    for label in labels:
        draw.text(
            (place(label), middle + bar * 0.24), str(label), font=font, fill=_DIM, anchor="mm"
        )


def _text(
    draw: ImageDraw.ImageDraw,
    x: float,
    middle: float,
    text: str,
    font: _Font,
    colour: tuple[int, int, int],
) -> float:
    draw.text((x, middle), text, font=font, fill=colour, anchor="lm")
    return x + draw.textlength(text, font)


def _font(size: float) -> _Font:
    return ImageFont.load_default(max(9, round(size)))
