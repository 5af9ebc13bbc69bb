"""`landcast prepare` and `landcast simulate`: where pairs and scenes come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.bars import progress_bars
from app.cli.options import (
    Bands,
    Overwrite,
    Sensor,
    ValueRange,
    parse_averages,
    parse_bands,
    parse_value_range,
)

__all__ = ["prepare", "simulate"]


class Landscape(StrEnum):
    """Choices of `--landscape`."""

    MIXED = "mixed"
    PRAIRIE = "prairie"


class Colours(StrEnum):
    """Choices of `--radiometry`."""

    HISTOGRAM = "histogram"
    INVARIANT = "invariant"
    NONE = "none"


class CloudMask(StrEnum):
    """Choices of `--clouds-kind`."""

    SCL = "scl"
    QA_PIXEL = "qa_pixel"
    MASK = "mask"


def prepare(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="EARLIER LATER",
            help="Two dated rasters (files, http:// or s3://), or one manifest.csv of many places, "
            "or one folder of dated rasters whose subfolders are places.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="PAIRS.zarr", help="Store to make.")],
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML.")
    ] = None,
    bands: Bands = None,
    value_range: ValueRange = None,
    sensor: Sensor = None,
    gsd: Annotated[
        float | None,
        typer.Option("--gsd", metavar="METRES", min=0.01, help="Resample to metres per pixel."),
    ] = None,
    radiometry: Annotated[
        Colours | None,
        typer.Option("--radiometry", help="How LATER gets the colours of EARLIER."),
    ] = None,
    refine: Annotated[
        bool | None, typer.Option("--refine", help="Remove local shifts too, where it helps.")
    ] = None,
    clouds_earlier: Annotated[
        str | None, typer.Option("--clouds-earlier", metavar="FILE", help="Its cloud mask.")
    ] = None,
    clouds_later: Annotated[
        str | None, typer.Option("--clouds-later", metavar="FILE", help="Its cloud mask.")
    ] = None,
    clouds_kind: Annotated[
        CloudMask | None,
        typer.Option("--clouds-kind", help="Sentinel-2 SCL, Landsat QA_PIXEL, or 0 where clear."),
    ] = None,
    detect_clouds: Annotated[
        bool | None, typer.Option("--detect-clouds", help="Mask what looks like a thick cloud.")
    ] = None,
    fit_bounds: Annotated[
        bool | None,
        typer.Option("--fit-bounds", help="Fit the filters' bounds to the data's quantiles."),
    ] = None,
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
    many = len(inputs) == 1 and (inputs[0].lower().endswith(".csv") or Path(inputs[0]).is_dir())
    if not many and len(inputs) != 2:
        raise typer.BadParameter(
            "expected EARLIER and LATER, or one manifest.csv or folder, "
            f"got {len(inputs)} {'file' if len(inputs) == 1 else 'files'}"
        )
    if many:
        _refuse(
            {
                "--earlier-year": earlier_year,
                "--later-year": later_year,
                "--clouds-earlier": clouds_earlier,
                "--clouds-later": clouds_later,
            },
            "two rasters; a manifest states its dates and masks",
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
    if clouds_kind is not None and not (many or clouds_earlier or clouds_later):
        _refuse(
            {"--clouds-kind": clouds_kind},
            "--clouds-earlier or --clouds-later, or a manifest.csv with a column mask",
        )
    from app.workflows import prepare as run_prepare
    from preprocessing.config import load_config
    from preprocessing.image_source import Reading
    from preprocessing.prepare_config import PrepareConfig

    kind = None if clouds_kind is None else clouds_kind.value
    settings = PrepareConfig() if config is None else load_config(PrepareConfig, config)
    if val_share is not None and settings.split is not None:
        raise typer.BadParameter(
            f"expected --val-share or the split {settings.split} of {config}, got both"
        )
    stated: dict[str, Any] = {
        "val_share": val_share,
        "gsd_m": gsd,
        "radiometry": None if radiometry is None else radiometry.value,
        "refine": refine,
        "detect_clouds": detect_clouds,
        "fit_bounds": fit_bounds,
    }
    try:
        settings = replace(settings, **{k: v for k, v in stated.items() if v is not None})
    except ValueError as err:
        raise typer.BadParameter(str(err)) from err
    with progress_bars() as progress:
        report = run_prepare(
            inputs,
            out,
            settings,
            reading=Reading(chosen, limits, sensor),
            of_pair={
                "earlier_year": earlier_year,
                "later_year": later_year,
                "clouds": (clouds_earlier, clouds_later),
                "clouds_kind": kind or "mask",
            },
            of_list={
                "datasets": dataset,
                "split": split,
                "pairs_per_place": pairs_per_place,
                "average_by_dataset": averages,
                "clouds_kind": kind,
            },
            overwrite=overwrite,
            progress=partial(progress, "preparing"),
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
