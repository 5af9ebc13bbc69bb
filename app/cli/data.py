"""`landcast simulate`: demo worlds."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.options import Overwrite

__all__ = ["simulate"]


class Landscape(StrEnum):
    """Choices of `--landscape`."""

    MIXED = "mixed"
    PRAIRIE = "prairie"


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
        float, typer.Option("--gsd", min=2.0, max=40.0, help="Metres per pixel.")
    ] = 10.0,
    clouds: Annotated[bool, typer.Option("--clouds", help="Clouds with a mask.")] = False,
    landscape: Annotated[
        Landscape, typer.Option("--landscape", help="Kind of region; the prairie has many ponds.")
    ] = Landscape.MIXED,
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
    from preprocessing.errors import OutputExistsError
    from preprocessing.simulator import WorldConfig, simulate_world, write_world, write_worlds

    if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise OutputExistsError(
            f"expected a new or empty folder for --out, {out} exists; choose another, or pass "
            "--overwrite"
        )
    configs = [
        WorldConfig(
            height=height,
            width=width,
            years=years,
            start_year=start_year,
            seed=seed + index,
            gsd_m=gsd,
            clouds=clouds,
            landscape=landscape.value,
            seasons=seasons,
        )
        for index in range(worlds or 1)
    ]
    with progress_bars() as progress:
        progress("simulating", 0, len(configs))
        if worlds is None:
            manifest = write_world(simulate_world(configs[0]), out, split=split)
            progress("simulating", 1, 1)
        else:
            manifest = write_worlds(
                configs, out, split=split, progress=partial(progress, "simulating")
            )
    typer.echo(str(manifest))
