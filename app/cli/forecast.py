"""`landcast forecast`, and what one would take: `landcast plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.bars import progress_bars
from app.cli.options import (
    AllowOutside,
    Bands,
    MaxMemory,
    Members,
    Model,
    NoCalibrate,
    Overwrite,
    Resume,
    Seed,
    Sensor,
    ValueRange,
    Workers,
    Year,
    Years,
    parse_bands,
    parse_bbox,
    parse_size,
    parse_value_range,
)
from app.cli.printing import say

__all__ = ["forecast"]


def forecast(
    context: typer.Context,
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...",
            help="Dated rasters or pictures of one place, a folder of them, or a STAC collection: "
            "the last date is the start, the others are its history.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the results, or s3:// address.")
    ],
    year: Year = None,
    years: Years = 5,
    members: Members = 8,
    seed: Seed = 0,
    model: Model = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, max=1000, help="Network passes a year: 1.")
    ] = None,
    save_members: Annotated[
        bool, typer.Option("--save-members", help="Keep every member's rasters.")
    ] = False,
    save_observations: Annotated[
        bool,
        typer.Option(
            "--save-observations",
            help="Also write what a sensor may see of each member: light, season, crops.",
        ),
    ] = False,
    bbox: Annotated[
        str | None,
        typer.Option(
            "--bbox", metavar="W,S,E,N", help="Only this box of longitudes and latitudes."
        ),
    ] = None,
    aoi: Annotated[
        Path | None,
        typer.Option(
            "--aoi", metavar="FILE", help="Only the polygons of this file (GeoPackage, GeoJSON)."
        ),
    ] = None,
    halo: Annotated[
        int,
        typer.Option(
            metavar="PX",
            help="Pixels around --bbox or --aoi that are forecast with it, but not written.",
        ),
    ] = 256,
    zones: Annotated[
        Path | None,
        typer.Option(
            "--zones", metavar="FILE", help="Also tell the area of change of these polygons."
        ),
    ] = None,
    file_format: Annotated[
        Literal["cog", "zarr"],
        typer.Option("--format", help="Rasters alone, or one Zarr group of all years as well."),
    ] = "cog",
    no_calibrate: NoCalibrate = False,
    workers: Workers = None,
    max_memory: MaxMemory = None,
    dask: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS", help="Dask scheduler to use instead."),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    bands: Bands = None,
    value_range: ValueRange = None,
    sensor: Sensor = None,
    _allow_outside: AllowOutside = False,
) -> None:
    """Forecast a place for each year ahead: rasters, uncertainty, film, STAC."""
    chosen, limits = parse_bands(bands), parse_value_range(value_range)
    memory = parse_size(max_memory)
    if resume and overwrite:
        raise typer.BadParameter("expected --resume or --overwrite, got both")
    from app.workflows import ForecastRequest, default_workers, forecast_region
    from preprocessing.pairs.location import is_remote, location_of
    from preprocessing.running.counted import counted

    if workers is None:
        workers = 1 if dask is not None else default_workers()
    request = ForecastRequest(
        images=tuple(images),
        out=out,
        years=years,
        members=members,
        seed=seed,
        year=year,
        model=model,
        steps=steps,
        save_members=save_members,
        save_observations=save_observations,
        calibrate=not no_calibrate,
        workers=workers,
        max_memory=memory,
        dask=dask,
        resume=resume,
        overwrite=overwrite,
        bands=chosen,
        value_range=limits,
        sensor=sensor,
        bbox=parse_bbox(bbox),
        aoi=aoi,
        halo=halo,
        zones=zones,
        cube=file_format == "zarr",
    )
    if context.info_name == "plan":
        from app.workflows import plan_forecast

        for line in plan_forecast(request).lines:
            say(line)
        return
    with progress_bars() as progress:
        result = forecast_region(request, progress=progress)
    first, last = result.years[0], result.years[-1]
    span = str(first) if first == last else f"{first} to {last}"
    say(
        f"{result.region}: {span}, {counted(result.members, 'member')}, "
        f"seed {result.seed}, model {result.model}"
    )
    for line in (
        *result.run.get("assumed", ()),
        result.changed_area_text,
        result.hindcast_text,
        result.outside_text,
    ):
        if line:
            say(line)
    say(str(result.folder))
    if is_remote(location_of(out)):
        say(location_of(out))
