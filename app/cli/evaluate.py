"""`landcast evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.options import Overwrite, PerceptualWeights, Seed, parse_dates
from app.cli.printing import say

__all__ = ["evaluate"]


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Model folder, or the name of a shipped one.")
    ],
    stores: Annotated[
        list[str],
        typer.Argument(
            metavar="STORE...", help="A series store, or pair stores: folders, http:// or s3://."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for scores.json.")],
    pairs: Annotated[
        int | None,
        typer.Option(
            "--pairs",
            min=1,
            help="Of pair stores: about so many pairs, evenly over the datasets.",
            show_default="4096",
        ),
    ] = None,
    members: Annotated[
        int, typer.Option("--members", min=1, max=256, help="Members of each ensemble.")
    ] = 16,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="What to score: val, test or train. Of pairs val if not given; of series train "
            "and val, apart.",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against", metavar="MODEL", help="Another forecaster to compare with; repeatable."
        ),
    ] = None,
    seed: Seed = 0,
    perceptual_weights: PerceptualWeights = None,
    alpha: Annotated[
        float | None,
        typer.Option("--alpha", min=0, max=1, help="Of an upscaler: see `landcast upscale`."),
    ] = None,
    rasters: Annotated[
        bool, typer.Option("--rasters", help="Of an upscaler: keep restored tiles, with maps.")
    ] = False,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            metavar="DIR",
            help="On series: masks of what was built, PLACE.png, to score against as well.",
        ),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(
            "--dates",
            metavar="N,...",
            help="On series: also score the model with its history cut to so many dates, such as "
            "1,2,4,8, and with all of it but not calibrated on the place.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Score a model on whole places or held-out pairs beside its baselines, with figures."""
    counts = parse_dates(dates)
    from app.workflows import EvaluationRequest
    from app.workflows import evaluate as evaluate_model

    request = EvaluationRequest(
        model=model,
        stores=stores,
        out=out,
        split=split,
        members=members,
        pairs=pairs,
        against=against or (),
        seed=seed,
        perceptual_weights=perceptual_weights,
        alpha=alpha,
        rasters=rasters,
        masks=masks,
        dates=counts,
        overwrite=overwrite,
    )
    with progress_bars() as progress:
        report = evaluate_model(request, progress=progress)
    say(f"{report.read_text(encoding='utf-8').rstrip()}\n\n{report}")
