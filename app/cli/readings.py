"""How files are to be understood, for all of them or for single data sets of a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import parse_bands, parse_value_range

if TYPE_CHECKING:
    from preprocessing.rasters.image_source import Readings

__all__ = ["ListedBands", "ListedRange", "ListedSensor", "parse_readings"]

_EACH = "DATASET=... for one data set; repeatable."

ListedBands = Annotated[
    list[str] | None,
    typer.Option("--bands", metavar="R,G,B", help=f"Band numbers of red, green and blue; {_EACH}"),
]
ListedRange = Annotated[
    list[str] | None,
    typer.Option(
        "--value-range", metavar="LO,HI", help=f"Stored values that mean black and white; {_EACH}"
    ),
]
ListedSensor = Annotated[
    list[str] | None,
    typer.Option(
        "--sensor",
        metavar="NAME",
        help="Profile with bands and value range, e.g. sentinel-2-l2a, landsat-c2-l2; " + _EACH,
    ),
]


def parse_readings(bands: list[str], ranges: list[str], sensors: list[str]) -> Readings:
    """`3,2,1`, `0,3000`, `planet`, each alone or as `DATASET=3,2,1`, to how files are read.

    What is stated for a data set goes before what is stated for all.
    """
    from preprocessing.rasters.image_source import Reading, Readings

    options: dict[str, tuple[list[str], Callable[[str], Any]]] = {
        "bands": (bands, parse_bands),
        "value_range": (ranges, parse_value_range),
        "sensor": (sensors, str),
    }
    stated: dict[str, dict[str, Any]] = {}
    for field, (texts, parse) in options.items():
        for text in texts:
            dataset, _, value = text.rpartition("=")
            if field in stated.setdefault(dataset, {}):
                option = "--" + field.replace("_", "-")
                raise typer.BadParameter(
                    f"expected {option} once for {dataset or 'all data sets'}, got it twice",
                    param_hint=option,
                )
            stated[dataset][field] = parse(value)
    every = Reading(**stated.pop("", {}))
    return Readings(every, {name: replace(every, **fields) for name, fields in stated.items()})
