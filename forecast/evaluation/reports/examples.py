"""A forecast of each place to look at, beside what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from preprocessing.report.charts import picture

__all__ = ["PICTURES", "PlaceExample", "example_strips"]

PICTURES = ("present", "representative member", "later image", "probability", "lasting change")

Picture = NDArray[np.uint8]
_TOP = 0.5
_MOST_PX, _WIDTH = 400, 196


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


def example_strips(examples: Sequence[PlaceExample]) -> list[tuple[str, list[Markup]]]:
    """A label and five pictures, named as `PICTURES`, of each example."""
    return [
        (
            e.label,
            [
                _image(pixels, title)
                for pixels, title in zip(
                    (e.present, e.member, e.truth, e.probability, e.event), PICTURES, strict=True
                )
            ],
        )
        for e in examples
    ]


def _picture(image: NDArray[np.generic]) -> Picture:
    return np.asarray(np.moveaxis(image, 0, -1)).clip(0, 255).round().astype(np.uint8)


def _coloured(values: NDArray[np.float32]) -> Picture:
    return np.array(matplotlib.colormaps["inferno"](values.clip(0, 1), bytes=True)[..., :3])


def _image(pixels: Picture, alt: str) -> Markup:
    shown = Image.fromarray(np.ascontiguousarray(pixels))
    shown.thumbnail((_MOST_PX, _MOST_PX))
    height = round(_WIDTH * shown.height / shown.width)
    return picture(shown, alt, size=(_WIDTH, height))
