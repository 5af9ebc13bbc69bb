"""`landcast prepare`: stores of pairs of dates, or of series of all dates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli.bars import progress_bars
from app.cli.options import AllowOutside, Overwrite, parse_averages
from app.cli.printing import say
from app.cli.readings import ListedBands, ListedRange, ListedSensor, parse_readings
from app.cli.series import prepare_series, settings_of
from preprocessing.running.counted import counted

__all__ = ["prepare"]


def prepare(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="EARLIER LATER",
            help="Two dated rasters (files, http:// or s3://), or one manifest.csv of many places, "
            "or one folder of dated rasters whose subfolders are places. With --series any number "
            "of rasters of one place.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="STORE.zarr", help="Store to make.")],
    series: Annotated[
        bool,
        typer.Option(
            "--series",
            help="Keep all dates of a place together, registered to one of them, in their own "
            "colours; not pairs of tiles.",
        ),
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML.")
    ] = None,
    bands: ListedBands = None,
    value_range: ListedRange = None,
    sensor: ListedSensor = None,
    gsd: Annotated[
        float | None,
        typer.Option("--gsd", metavar="METRES", min=0.01, help="Resample to metres per pixel."),
    ] = None,
    radiometry: Annotated[
        Literal["histogram", "invariant", "none"] | None,
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
        Literal["scl", "qa_pixel", "mask"] | None,
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
    _allow_outside: AllowOutside = False,
) -> None:
    """Align, co-register, match, tile and filter; report what was dropped and why."""
    readings = parse_readings(bands or [], value_range or [], sensor or [])
    listed: dict[str, Any] = {
        "readings": readings,
        "datasets": dataset,
        "split": split,
        "average_by_dataset": parse_averages(average or []),
        "clouds_kind": clouds_kind,
        "overwrite": overwrite,
    }
    if series:
        _refuse(
            {
                "--radiometry": radiometry,
                "--fit-bounds": fit_bounds,
                "--pairs-per-place": pairs_per_place,
                "--val-share": val_share,
                "--earlier-year": earlier_year,
                "--later-year": later_year,
                "--clouds-earlier": clouds_earlier,
                "--clouds-later": clouds_later,
            },
            "pairs; leave it or --series out",
        )
        shared = {"gsd_m": gsd, "refine": refine, "detect_clouds": detect_clouds}
        prepare_series(inputs, out, config, shared, **listed)
        return
    many = len(inputs) == 1 and (inputs[0].lower().endswith(".csv") or Path(inputs[0]).is_dir())
    if not many and len(inputs) != 2:
        raise typer.BadParameter(
            "expected EARLIER and LATER, or one manifest.csv or folder, "
            f"got {counted(len(inputs), 'file')}"
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
                "DATASET=": readings.of_dataset,
            },
            "a manifest.csv",
        )
    if clouds_kind is not None and not (many or clouds_earlier or clouds_later):
        _refuse(
            {"--clouds-kind": clouds_kind},
            "--clouds-earlier or --clouds-later, or a manifest.csv with a column mask",
        )
    from app.workflows import prepare_manifest, prepare_pair
    from preprocessing.preparation.config import PrepareConfig

    stated = {
        "val_share": val_share,
        "gsd_m": gsd,
        "radiometry": radiometry,
        "refine": refine,
        "detect_clouds": detect_clouds,
        "fit_bounds": fit_bounds,
    }
    settings = settings_of(PrepareConfig, config, stated)
    if val_share is not None and settings.split is not None:
        raise typer.BadParameter(
            f"expected --val-share or the split {settings.split} of {config}, got both"
        )
    with progress_bars() as progress:
        told = partial(progress, "preparing")
        if many:
            report = prepare_manifest(
                inputs[0], out, settings, pairs_per_place=pairs_per_place, progress=told, **listed
            )
        else:
            report = prepare_pair(
                inputs[0],
                inputs[1],
                out,
                settings,
                reading=readings.every,
                earlier_year=earlier_year,
                later_year=later_year,
                clouds=(clouds_earlier, clouds_later),
                clouds_kind=clouds_kind or "mask",
                overwrite=overwrite,
                progress=told,
            )
    say(report.as_text().rstrip())
    say(f"\n{out}")


def _refuse(options: Mapping[str, object], fits: str) -> None:
    """Refuse options that were given and would have no effect."""
    given = [name for name, value in options.items() if value]
    if given:
        raise typer.BadParameter(f"expected {', '.join(given)} only with {fits}")
