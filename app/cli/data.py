"""`landcast prepare` and `landcast simulate`: where pairs and scenes come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.options import (
    Bands,
    Overwrite,
    ValueRange,
    parse_averages,
    parse_bands,
    parse_value_range,
)

__all__ = ["prepare", "simulate"]


def prepare(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="EARLIER LATER", help="Two dated rasters, or one manifest.csv of many places."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="PAIRS.zarr", help="Store to make.")],
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML.")
    ] = None,
    bands: Bands = None,
    value_range: ValueRange = None,
    earlier_year: Annotated[
        int | None, typer.Option("--earlier-year", min=1, max=9999, help="Year of EARLIER.")
    ] = None,
    later_year: Annotated[
        int | None, typer.Option("--later-year", min=1, max=9999, help="Year of LATER.")
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", help="Only this data set of a manifest; repeatable."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Only this split of a manifest.")
    ] = None,
    pairs_per_place: Annotated[
        int | None,
        typer.Option("--pairs-per-place", min=1, help="Cap on pairs of dates of a manifest."),
    ] = None,
    val_share: Annotated[
        float | None,
        typer.Option(
            "--val-share",
            metavar="SHARE",
            min=0.0,
            max=0.9,
            help="Held out to validate on: a corner of two rasters, places of a manifest.",
        ),
    ] = None,
    average: Annotated[
        list[str] | None,
        typer.Option(
            "--average", metavar="DATASET=N", help="Average N x N pixels first; repeatable."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Align, co-register, match, tile and filter; report what was dropped and why."""
    chosen, limits = parse_bands(bands), parse_value_range(value_range)
    averages = parse_averages(average or [])
    manifest = len(inputs) == 1 and inputs[0].suffix.lower() == ".csv"
    if not manifest and len(inputs) != 2:
        raise typer.BadParameter(
            f"expected EARLIER and LATER, or one manifest.csv, got {len(inputs)} files"
        )
    if manifest:
        _refuse(
            {"--earlier-year": earlier_year, "--later-year": later_year},
            "two rasters; a manifest states its dates",
        )
    else:
        _refuse(
            {
                "--dataset": dataset,
                "--split": split,
                "--pairs-per-place": pairs_per_place,
                "--average": average,
            },
            "a manifest.csv",
        )
    from preprocessing.config import load_config
    from preprocessing.prepare import PrepareConfig, prepare_manifest, prepare_pair

    settings = PrepareConfig() if config is None else load_config(PrepareConfig, config)
    if val_share is not None:
        if settings.split is not None:
            raise typer.BadParameter(
                f"expected --val-share or the split {settings.split} of {config}, got both"
            )
        settings = replace(settings, val_share=val_share)
    with progress_bars() as progress:

        def report_progress(done: int, total: int) -> None:
            progress("preparing", done, total)

        if manifest:
            report = prepare_manifest(
                inputs[0],
                out,
                settings,
                datasets=dataset,
                split=split,
                pairs_per_place=pairs_per_place,
                bands=chosen,
                value_range=limits,
                average_by_dataset=averages,
                overwrite=overwrite,
                progress=report_progress,
            )
        else:
            report = prepare_pair(
                inputs[0],
                inputs[1],
                out,
                settings,
                bands=chosen,
                value_range=limits,
                earlier_year=earlier_year,
                later_year=later_year,
                overwrite=overwrite,
                progress=report_progress,
            )
    typer.echo(report.as_text().rstrip())
    typer.echo(f"\n{out}")


def _refuse(options: Mapping[str, object], fits: str) -> None:
    """Refuse options that were given and would have no effect."""
    given = [name for name, value in options.items() if value]
    if given:
        raise typer.BadParameter(f"expected {', '.join(given)} only with {fits}")


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
