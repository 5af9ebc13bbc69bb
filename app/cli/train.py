"""`landcast train`: the networks from series and pair stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.options import Overwrite, Resume
from app.cli.printing import say

__all__ = ["train"]

train = typer.Typer(help="Train a model on series or pair stores.", no_args_is_help=True)

_Stores = Annotated[
    list[str],
    typer.Argument(metavar="PAIRS.zarr...", help="Pair stores: folders, http:// or s3://."),
]
_Model = Annotated[Path, typer.Option("--out", metavar="MODEL", help="Folder for the model.")]
_Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="RECIPE", help="TOML file, or the name of a shipped recipe."),
]
_Minutes = Annotated[
    float | None,
    typer.Option("--minutes", min=0.05, help="End the schedule after so long."),
]


@train.command(name="forecast")
def forecast(
    stores: Annotated[
        list[str],
        typer.Argument(
            metavar="STORE...",
            help="Series stores, pair stores, or one file of places that an earlier run left.",
        ),
    ],
    out: _Model,
    config: _Config = None,
    minutes: _Minutes = None,
    init: Annotated[
        str | None,
        typer.Option("--init", metavar="MODEL", help="Start from its weights, e.g. base."),
    ] = None,
    resume: Resume = False,
) -> None:
    """Train the network that forecasts where ground changes and what it then looks like."""
    # Without what `app.workflows` needs for rasters.
    from app.training.forecast import train_forecast

    with progress_bars() as progress:
        train_forecast(
            stores, out, config, minutes=minutes, init=init, resume=resume, progress=progress
        )
    say(str(out))


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
    say(str(out))


@train.command(name="lift")
def lift(
    stores: Annotated[
        list[str], typer.Argument(metavar="PAIRS", help="Pair stores, or one file of packed pairs.")
    ],
    out: _Model,
    config: _Config = None,
    minutes: _Minutes = None,
    init: Annotated[
        str | None,
        typer.Option("--init", metavar="MODEL", help="Start from its weights, e.g. guided16."),
    ] = None,
    resume: Resume = False,
) -> None:
    """Train the network that lifts forecasts to full resolution, guided by the picture of today."""
    from app.training.lift import train_lift  # Without what `app.workflows` needs for rasters.

    with progress_bars() as progress:
        train_lift(
            stores, out, config, minutes=minutes, init=init, resume=resume, progress=progress
        )
    say(str(out))


@train.command(name="pack")
def pack(
    stores: _Stores,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.npz", help="File to write.")],
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="At most so many.")] = 3000,
    overwrite: Overwrite = False,
) -> None:
    """Pack pairs for `train lift` into one small file, to train on another machine."""
    from app.workflows import pack_pairs
    from preprocessing.running.counted import counted

    learnt, held_out = pack_pairs(stores, out, pairs=pairs, overwrite=overwrite)
    say(f"{counted(learnt, 'pair')} to learn from, {held_out} to validate on\n{out}")


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
    say(str(out))
