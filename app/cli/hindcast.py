"""`landcast hindcast`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.options import (
    AllowOutside,
    Bands,
    Model,
    NoCalibrate,
    Overwrite,
    Seed,
    Sensor,
    ValueRange,
    Workers,
    Year,
    parse_bands,
    parse_value_range,
)
from app.cli.printing import say

__all__ = ["hindcast"]


def hindcast(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...",
            help="Dated rasters or pictures of one place, a folder of them, or a STAC collection: "
            "four dates or more.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")],
    years: Annotated[
        int, typer.Option("--years", min=1, max=100, help="Longest horizon to try.")
    ] = 10,
    starts: Annotated[
        int, typer.Option("--starts", min=1, max=100, help="Dates to start from, at most.")
    ] = 5,
    members: Annotated[
        int, typer.Option("--members", min=2, max=1000, help="Futures in each ensemble.")
    ] = 4,
    seed: Seed = 0,
    year: Year = None,
    model: Model = None,
    no_calibrate: NoCalibrate = False,
    workers: Workers = None,
    overwrite: Overwrite = False,
    bands: Bands = None,
    value_range: ValueRange = None,
    sensor: Sensor = None,
    _allow_outside: AllowOutside = False,
) -> None:
    """Forecast the past of a place from several of its dates, and report the skill."""
    chosen, limits = parse_bands(bands), parse_value_range(value_range)
    from app.workflows import HindcastRequest, default_workers, hindcast_place

    request = HindcastRequest(
        images=tuple(images),
        out=out,
        years=years,
        starts=starts,
        members=members,
        seed=seed,
        year=year,
        model=model,
        calibrate=not no_calibrate,
        overwrite=overwrite,
        workers=default_workers() if workers is None else workers,
        bands=chosen,
        value_range=limits,
        sensor=sensor,
    )
    with progress_bars() as progress:
        result = hindcast_place(request, progress=progress)
    say(f"{result.text}\n\n{result.page}")
