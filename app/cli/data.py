"""`landcast simulate`: demo worlds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli.bars import progress_bars
from app.cli.options import Overwrite
from app.cli.printing import say

__all__ = ["simulate"]


_Landscape = Literal[
    "mixed",
    "prairie",
    "city",
    "suburbs",
    "villages",
    "frontier",
    "mining",
    "reservoir",
    "irrigation",
    "coast",
    "river",
    "plantation",
]
_Climate = Literal["temperate", "desert", "mediterranean", "tropical", "northern"]


def simulate(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New or empty folder.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same world.")] = 0,
    worlds: Annotated[
        int | None,
        typer.Option("--worlds", min=1, help="So many worlds, from --seed on, in one manifest."),
    ] = None,
    years: Annotated[int, typer.Option("--years", min=1, max=200, help="Yearly scenes.")] = 12,
    start_year: Annotated[int, typer.Option("--start-year", min=1, max=9000)] = 2012,
    width: Annotated[int, typer.Option("--width", min=128, max=8192, help="Pixels.")] = 512,
    height: Annotated[int, typer.Option("--height", min=128, max=8192, help="Pixels.")] = 512,
    gsd: Annotated[
        float, typer.Option("--gsd", min=2.0, max=200.0, help="Metres per pixel.")
    ] = 10.0,
    clouds: Annotated[bool, typer.Option("--clouds", help="Clouds with a mask.")] = False,
    landscape: Annotated[
        _Landscape, typer.Option("--landscape", help="Kind of region and of what happens there.")
    ] = "mixed",
    varied: Annotated[
        bool,
        typer.Option(
            "--varied",
            help="Draw landscape, climate, metres per pixel, growth, seasons, start and sensor of "
            "each world from its seed.",
        ),
    ] = False,
    climate: Annotated[
        _Climate, typer.Option("--climate", help="For all but mixed and prairie.")
    ] = "temperate",
    false_colour: Annotated[
        bool,
        typer.Option("--false-colour", help="Short-wave infrared, near infrared, red as bands."),
    ] = False,
    interval: Annotated[
        int, typer.Option("--interval", min=1, max=50, help="Years from scene to scene.")
    ] = 1,
    seasons: Annotated[
        float,
        typer.Option(
            "--seasons",
            min=0.0,
            max=1.0,
            help="How far weather and day of the year change fields, grass and water.",
        ),
    ] = 0.0,
    split: Annotated[str, typer.Option("--split", help="Split the manifest states.")] = "train",
    overwrite: Overwrite = False,
) -> None:
    """Make a demo world: yearly scenes, true cover maps and a manifest for prepare."""
    from preprocessing.errors import RequestError
    from preprocessing.running.files import refuse_occupied
    from preprocessing.running.output_lock import owned_folder
    from preprocessing.running.partial_files import remove_partials_in
    from preprocessing.simulator import (
        WorldConfig,
        draw_config,
        simulate_world,
        write_world,
        write_worlds,
    )

    seeds = range(seed, seed + (worlds or 1))
    size: dict[str, Any] = {"height": height, "width": width, "years": years, "interval": interval}
    if varied:
        named = (landscape, climate, false_colour, gsd, seasons, start_year)
        if named != ("mixed", "temperate", False, 10.0, 0.0, 2012):
            raise RequestError(
                "expected --varied alone to draw --landscape, --climate, --false-colour, --gsd, "
                "--seasons and --start-year; leave these out, or leave out --varied"
            )
        configs = [replace(draw_config(each, **size), clouds=clouds) for each in seeds]
    else:
        configs = [
            WorldConfig(
                **size,
                start_year=start_year,
                seed=each,
                gsd_m=gsd,
                clouds=clouds,
                landscape=landscape,
                seasons=seasons,
                climate=climate,
                false_colour=false_colour,
            )
            for each in seeds
        ]
    with owned_folder(out), progress_bars() as progress:
        if not overwrite:
            refuse_occupied(out, "pass --overwrite")
        remove_partials_in(out)
        progress("simulating", 0, len(configs))
        if worlds is None:
            manifest = write_world(simulate_world(configs[0]), out, split=split)
            progress("simulating", 1, 1)
        else:
            manifest = write_worlds(
                configs, out, split=split, progress=partial(progress, "simulating")
            )
    say(str(manifest))
