"""The commands: each parses, calls one workflow, and says what was made."""

# Heavy packages (torch, rasterio, streamlit) are imported inside the commands: help stays fast.

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.compare import compare
from app.cli.data import simulate
from app.cli.evaluate import evaluate
from app.cli.fetch import fetch
from app.cli.forecast import forecast
from app.cli.hindcast import hindcast
from app.cli.options import AllowOutside
from app.cli.prepare import prepare
from app.cli.printing import say
from app.cli.serve import serve
from app.cli.train import train
from app.cli.upscale import upscale

__all__ = ["app"]

app = typer.Typer(
    name="landcast",
    help="Forecast how landscapes change: from one dated image to an ensemble of futures.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(forecast)
app.command("plan", help="Tell what a forecast would take: time, memory, disk.")(forecast)
app.command()(prepare)
app.command()(fetch)
app.command()(compare)
app.command()(simulate)
app.command()(hindcast)
app.command()(evaluate)
app.add_typer(train, name="train")
app.command()(upscale)
app.command("app", help="Start the map application and its HTTP service.")(serve)
app.command("serve", help="Start the HTTP service alone.")(serve)


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, help="Print the version.", callback=lambda on: _version(on)
        ),
    ] = False,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Log more, and show where failures come from.")
    ] = False,
) -> None:
    """Forecast how landscapes change."""


def _version(on: bool) -> None:
    if on:
        say(f"landcast {version('landcast')}")
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")] = (
        Path("landcast-demo")
    ),
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Another demo world.")] = None,
) -> None:
    """Make a demo scene, forecast it, score it against its known future, animate it."""
    from app.forecasts.demo import run_demo
    from app.workflows import default_workers

    chosen = {} if seed is None else {"seed": seed}
    with progress_bars() as progress:
        result = run_demo(out, **chosen, workers=default_workers(), progress=progress)
    say(result.table.rstrip())
    say(f"\nscene    {result.scene}\nresults  {result.folder}")


@app.command(name="zones")
def zones_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The result of a forecast.")],
    polygons: Annotated[
        Path, typer.Argument(metavar="FILE", help="Polygons: GeoPackage, GeoJSON, GeoParquet.")
    ],
    _allow_outside: AllowOutside = False,
) -> None:
    """Tell how much of each zone is expected to change, as CSV and GeoParquet."""
    from app.workflows import forecast_zones

    for path in forecast_zones(folder, polygons):
        say(str(path))


@app.command()
def animate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The result of a forecast.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Ends in .mp4, .gif or .webp.")
    ],
    past: Annotated[
        list[Path] | None,
        typer.Option("--past", metavar="IMAGE", help="An earlier image to begin with; repeatable."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, max=60, help="How long each year stays.")
    ] = 1.0,
    size: Annotated[
        int,
        typer.Option(
            "--size",
            min=64,
            max=8192,
            help="Longer side of the pictures in pixels, at most; smaller ones are enlarged to "
            "480. The year stands below.",
        ),
    ] = 1080,
    _allow_outside: AllowOutside = False,
) -> None:
    """Make a film of a forecast, the year burnt in and forecasts marked."""
    from app.films.animation import animate_folder

    written = animate_folder(folder, out, past=past or [], seconds_per_year=seconds, max_size=size)
    say(str(written))
