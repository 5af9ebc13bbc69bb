"""Which bands of a raster are red, green and blue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rasterio.enums import ColorInterp

from preprocessing.errors import BandError
from preprocessing.rasters.sensors import SensorProfile

__all__ = [
    "RED_GREEN_BLUE",
    "alpha_bands",
    "by_position",
    "choose_bands",
    "colours_of",
    "data_bands",
]

_MEASURED = re.compile(
    r"\bn(ear)?[ _-]?i(nfra)?[ _-]?r(ed)?\b|infra[ _-]?red|\bswir|\bred[ _-]?edge|\bB0?\d+A?\b",
    re.IGNORECASE,
)
RED_GREEN_BLUE = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_NAMES = (("red", "r"), ("green", "g"), ("blue", "b"))


def choose_bands(
    dataset: Any, bands: Sequence[int] | None, profile: SensorProfile | None, name: str
) -> tuple[int, int, int]:
    """One-based indexes of red, green and blue.

    The first that applies: `bands`; band descriptions as the sensor names them; colour
    interpretation; the descriptions red, green, blue; the sensor's usual order; the first three.

    Raises:
        BandError: Fewer than three bands, an index that does not exist, or a sensor whose bands
            cannot be told apart in this file.
    """
    if bands is not None:
        if len(bands) != 3 or any(not 1 <= b <= dataset.count for b in bands):
            raise BandError(
                f"expected three band numbers between 1 and {dataset.count} for {name}, "
                f"got {','.join(map(str, bands))}"
            )
        return (bands[0], bands[1], bands[2])
    interpretation = list(dataset.colorinterp)
    present = data_bands(dataset, name)
    if len(present) < 3:
        raise BandError(
            f"expected at least three bands (red, green, blue), got {len(present)} in {name}; "
            "stack the colour bands into one file"
        )
    if profile is not None:
        named = profile.colour_bands(dataset.descriptions)
        if named is not None:
            return named
    if all(colour in interpretation for colour in RED_GREEN_BLUE):
        red, green, blue = (interpretation.index(colour) + 1 for colour in RED_GREEN_BLUE)
        return (red, green, blue)
    described = [(text or "").strip().lower() for text in dataset.descriptions]
    red, green, blue = (
        next((i + 1 for i, text in enumerate(described) if text in names), 0) for names in _NAMES
    )
    if red and green and blue:
        return (red, green, blue)
    if profile is not None and len(present) > 3:
        usual = profile.usual_bands(len(present))
        if usual is None:
            wanted = ", ".join("/".join(names) for names in profile.bands)
            raise BandError(
                f"expected bands named {wanted} for the sensor {profile.name}, got "
                f"{len(present)} bands without such names in {name}; say which are red, green "
                "and blue, e.g. --bands 3,2,1"
            )
        red, green, blue = (present[index - 1] for index in usual)
        return (red, green, blue)
    return (present[0], present[1], present[2])


def by_position(dataset: Any, bands: Sequence[int], *, named: str | None = None) -> bool:
    """Whether three bands were taken for red, green and blue because they come first.

    Args:
        dataset: Open rasterio dataset.
        bands: As `choose_bands` found them.
        named: Name of a sensor's profile, which tells its bands.
    """
    colours = [dataset.colorinterp[band - 1] for band in bands]
    texts = [(dataset.descriptions[band - 1] or "").strip().lower() for band in bands]
    known = all(text in names for text, names in zip(texts, _NAMES, strict=True))
    return named is None and colours != list(RED_GREEN_BLUE) and not known


def alpha_bands(dataset: Any) -> tuple[int, ...]:
    """One-based indexes of the bands that say what is seen through.

    A fourth band of 8 bits is tagged as alpha by many programs whatever it is, as near infrared is
    in deliveries of NAIP: a band whose description names a measurement is none.
    """
    return tuple(
        index
        for index, (colour, text) in enumerate(
            zip(dataset.colorinterp, dataset.descriptions, strict=True), start=1
        )
        if colour == ColorInterp.alpha and not _MEASURED.search(text or "")
    )


def colours_of(dataset: Any) -> tuple[Any, ...]:
    """Colour interpretation of all bands, without alpha where it is none."""
    alpha = alpha_bands(dataset)
    return tuple(
        ColorInterp.undefined if colour == ColorInterp.alpha and index not in alpha else colour
        for index, colour in enumerate(dataset.colorinterp, start=1)
    )


def data_bands(dataset: Any, name: str) -> tuple[int, ...]:
    """One-based indexes of the bands that hold values: all but alpha.

    Raises:
        BandError: The values are indexes into a palette, or there is only alpha.
    """
    interpretation = list(dataset.colorinterp)
    if ColorInterp.palette in interpretation:
        raise BandError(
            f"expected bands of values, got a palette in {name}; "
            "write its colours out first, e.g. with gdal_translate -expand rgb"
        )
    alpha = alpha_bands(dataset)
    bands = tuple(i for i in range(1, dataset.count + 1) if i not in alpha)
    if not bands:
        raise BandError(f"expected bands of values, got only alpha in {name}; add the image")
    return bands
