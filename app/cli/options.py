"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

__all__ = [
    "AllowOutside",
    "Bands",
    "MaxMemory",
    "Members",
    "Model",
    "NoCalibrate",
    "Overwrite",
    "PerceptualWeights",
    "Resume",
    "Seed",
    "Sensor",
    "ValueRange",
    "Workers",
    "Year",
    "Years",
    "parse_averages",
    "parse_bands",
    "parse_bbox",
    "parse_dates",
    "parse_size",
    "parse_value_range",
]

_N = TypeVar("_N", int, float)
_SIZES = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def _numbers(
    text: str, kind: Callable[[str], _N], count: int, *, option: str, expected: str
) -> list[_N]:
    """`1,2,3` to so many numbers."""
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        raise typer.BadParameter(f"expected {expected}, got '{text}'", param_hint=option)
    return found


def parse_bands(text: str | None) -> tuple[int, int, int] | None:
    """`3,2,1` to three band numbers."""
    if text is None:
        return None
    expected = "three band numbers for red, green, blue such as 3,2,1"
    red, green, blue = _numbers(text, int, 3, option="--bands", expected=expected)
    return red, green, blue


def parse_bbox(text: str | None) -> tuple[float, float, float, float] | None:
    """`4.2,50.1,4.9,50.6` to west, south, east, north."""
    if text is None:
        return None
    expected = "west,south,east,north in degrees such as 4.2,50.1,4.9,50.6"
    west, south, east, north = _numbers(text, float, 4, option="--bbox", expected=expected)
    return west, south, east, north


def parse_dates(text: str | None) -> tuple[int, ...]:
    """`1,2,4,8` to numbers of dates."""
    parts = [] if text is None else text.split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise typer.BadParameter(
            f"expected numbers of dates such as 1,2,4,8, got '{text}'", param_hint="--dates"
        )
    return tuple(map(int, parts))


def parse_averages(texts: list[str]) -> dict[str, int]:
    """`elk_valley=2` and the like to the block size of each data set."""
    averages = {}
    for text in texts:
        name, _, size = text.partition("=")
        if not name or not size.isdigit() or int(size) < 1:
            raise typer.BadParameter(
                f"expected DATASET=N such as landsat=2, got '{text}'", param_hint="--average"
            )
        averages[name] = int(size)
    return averages


def parse_size(text: str | None) -> int | None:
    """`800MB`, `6GB` or `6e9` to bytes."""
    if text is None:
        return None
    number = text.strip().upper().removesuffix("B")
    factor = _SIZES.get(number[-1:], 1)
    try:
        size = float(number.rstrip("KMGT")) * factor
        return round(size)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"expected a size such as 800MB or 6GB, got '{text}'", param_hint="--max-memory"
        ) from None


def parse_value_range(text: str | None) -> tuple[float, float] | None:
    """`0,3000` to the stored values that mean black and white."""
    if text is None:
        return None
    expected = "low,high such as 0,3000"
    low, high = _numbers(text, float, 2, option="--value-range", expected=expected)
    if not high > low:
        raise typer.BadParameter(
            f"expected low,high with low < high, got '{text}'", param_hint="--value-range"
        )
    return low, high


Years = Annotated[int, typer.Option("--years", min=1, max=100, help="Years to look ahead.")]
Members = Annotated[
    int, typer.Option("--members", min=1, max=1000, help="Futures in the ensemble.")
]
Year = Annotated[
    int | None,
    typer.Option(
        "--year", min=1, max=9999, help="Year of the last IMAGE, which then is the last date."
    ),
]
Model = Annotated[
    str | None, typer.Option("--model", help="Model folder; the shipped one if not given.")
]
NoCalibrate = Annotated[
    bool,
    typer.Option(
        "--no-calibrate",
        help="Do not learn from the place's own past where it changes and what it becomes.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=256,
        help="Processes that share the work; one a core if not given, one with a GPU.",
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        help="Memory that the workers may take together, such as 6GB; fewer work then.",
    ),
]
PerceptualWeights = Annotated[
    Path | None,
    typer.Option(
        "--perceptual-weights",
        metavar="FILE",
        help="Weights of VGG16 for the perceptual distance; a stand-in if not given.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same pixels.")]
Bands = Annotated[
    str | None,
    typer.Option("--bands", metavar="R,G,B", help="Band numbers of red, green and blue."),
]
ValueRange = Annotated[
    str | None,
    typer.Option("--value-range", metavar="LO,HI", help="Stored values that mean black and white."),
]
Sensor = Annotated[
    str | None,
    typer.Option(
        "--sensor",
        metavar="NAME",
        help="Profile with bands and value range, e.g. sentinel-2-l2a, landsat-c2-l2.",
    ),
]


def _allow_outside(context: typer.Context, on: bool) -> bool:
    """It holds until the command is done, wherever below a file is opened."""
    if on:
        from preprocessing.rasters.outside import reading_outside

        context.with_resource(reading_outside(True))
    return on


AllowOutside = Annotated[
    bool,
    typer.Option(
        "--allow-outside",
        callback=_allow_outside,
        help="Let manifests and mosaics (VRT) name files outside their folder, and addresses.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")]
