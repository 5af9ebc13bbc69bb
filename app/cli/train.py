"""`landcast train`: the networks from pair stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.options import Resume

__all__ = ["train"]

train = typer.Typer(help="Train a model on pair stores.", no_args_is_help=True)

_Stores = Annotated[
    list[str],
    typer.Argument(metavar="PAIRS.zarr...", help="Pair stores: folders, http:// or s3://."),
]
_Model = Annotated[Path, typer.Option("--out", metavar="MODEL", help="Folder for the model.")]
_Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="RECIPE", help="TOML file, or the name of a shipped recipe."),
]


@train.command(name="forecast")
def forecast(
    stores: _Stores,
    out: _Model,
    config: _Config = None,
    init: Annotated[
        str | None,
        typer.Option("--init", metavar="MODEL", help="Start from its weights, e.g. base."),
    ] = None,
    resume: Resume = False,
) -> None:
    """Train the UNet that forecasts."""
    from app.workflows import train_forecast

    with progress_bars() as progress:
        train_forecast(stores, out, config, init=init, resume=resume, progress=progress)
    typer.echo(str(out))


@train.command(name="calibrate")
def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Shipped name or model folder.")],
    stores: _Stores,
    out: _Model,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Pairs, evenly by dataset.")] = 240,
    members: Annotated[int, typer.Option("--members", min=2, help="Members of each.")] = 8,
) -> None:
    """Set the spread of a forecaster on the `val` pairs of stores."""
    from app.workflows import calibrate_forecast

    with progress_bars() as progress:
        table = calibrate_forecast(
            model, stores, out, pairs=pairs, members=members, progress=progress
        )
    typer.echo(f"{table}\n\n{out}")


@train.command(name="sr")
def sr(
    stores: _Stores,
    out: _Model,
    config: _Config = None,
    init: Annotated[
        str | None,
        typer.Option("--init", metavar="MODEL", help="Start from its weights, e.g. rrdb16."),
    ] = None,
    resume: Resume = False,
) -> None:
    """Train the ESRGAN that upscales pictures."""
    from app.workflows import train_sr

    with progress_bars() as progress:
        train_sr(stores, out, config, init=init, resume=resume, progress=progress)
    typer.echo(str(out))


@train.command(name="lift")
def lift(stores: _Stores, out: _Model, config: _Config = None, resume: Resume = False) -> None:
    """Train the network that lifts forecasts to full resolution, guided by the picture of today."""
    from app.workflows import train_lift

    with progress_bars() as progress:
        train_lift(stores, out, config, resume=resume, progress=progress)
    typer.echo(str(out))


@train.command(name="features")
def features(
    stores: _Stores,
    out: _Model,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="RECIPE", help="TOML file.")
    ] = None,
    resume: Resume = False,
) -> None:
    """Train the features that the ESRGAN's perceptual loss compares."""
    from app.workflows import train_features

    with progress_bars() as progress:
        train_features(stores, out, config, resume=resume, progress=progress)
    typer.echo(str(out))
