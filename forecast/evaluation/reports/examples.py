"""A forecast of each place to look at, beside what came."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from preprocessing.report.charts import image_source
from preprocessing.report.html_page import figure

__all__ = ["PlaceExample", "example_strips"]

Picture = NDArray[np.uint8]
_TOP = 0.5
_MOST_PX = 400


@dataclass(frozen=True)
class PlaceExample:
    """Pictures of one case, `(h, w, 3)` uint8.

    Attributes:
        label: Place, start and target.
        present: At full resolution.
        member: The representative member, at full resolution where there is one.
        truth: Means over cells, in the colours of the start.
        probability: Of lasting change, black 0 to yellow 0.5.
        event: What changed lastingly, in yellow; grey where it is not known.
    """

    label: str
    present: Picture
    member: Picture
    truth: Picture
    probability: Picture
    event: Picture

    @classmethod
    def of(cls, case: SeriesCase, forecast: PlaceForecast) -> PlaceExample | None:
        """Build from a forecast with members and probabilities; None of others."""
        if forecast.members is None or forecast.probability is None:
            return None
        shown = forecast.members if forecast.states is None else forecast.states
        event = _coloured(case.event.astype(np.float32))
        event[~case.known] = 128
        return cls(
            f"{case.place}: {case.start:.0f}, {case.years:.0f} years ahead",
            _picture(case.past.images[-1]),
            _picture(shown[forecast.representative]),
            _picture(case.truth),
            _coloured(forecast.probability / _TOP),
            event,
        )


def example_strips(examples: Sequence[PlaceExample], method: str) -> str:
    """The examples as a table, one row each; empty where there are none."""
    if not examples:
        return ""
    titles = ("present", "representative member", "later image", "probability", "lasting change")
    rows = []
    for e in examples:
        pictures = (e.present, e.member, e.truth, e.probability, e.event)
        rows.append(f"<tr><th colspan={len(titles)}>{html.escape(e.label)}</th></tr>")
        rows.append(
            "<tr>"
            + "".join(f"<td>{_image(p, t)}</td>" for p, t in zip(pictures, titles, strict=True))
            + "</tr>"
        )
    head = "".join(f"<th>{title}</th>" for title in titles)
    table = f"<div class=scroll><table class=strip><tr>{head}</tr>{''.join(rows)}</table></div>"
    return (
        f"<h2>Look at it</h2><p>Forecasts of {html.escape(method)}, chosen without regard to how "
        "good they are. The later image is shown as means over cells, in the colours of the "
        f"start. Probability: black 0 to yellow {_TOP}. Lasting change: yellow; grey is not "
        f"known.</p>{figure(table)}"
    )


def _picture(image: NDArray[np.generic]) -> Picture:
    return np.asarray(np.moveaxis(image, 0, -1)).clip(0, 255).round().astype(np.uint8)


def _coloured(values: NDArray[np.float32]) -> Picture:
    return np.array(matplotlib.colormaps["inferno"](values.clip(0, 1), bytes=True)[..., :3])


def _image(pixels: Picture, alt: str) -> str:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_MOST_PX, _MOST_PX))
    return f"<img alt='{alt}' src='{image_source(picture, 'PNG')}'>"
