"""`landcast fetch`: imagery by place and year."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.options import Overwrite
from app.cli.printing import say

__all__ = ["fetch"]


def fetch(
    bbox: Annotated[
        str, typer.Option("--bbox", metavar="W,S,E,N", help="The place, in degrees (WGS 84).")
    ],
    years: Annotated[
        str, typer.Option("--years", metavar="YEARS", help="Such as 2016-2024 or 2016,2020.")
    ],
    collection: Annotated[
        str,
        typer.Option("--collection", help="sentinel-2-l2a, landsat-c2-l2 or naip."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the composites.")],
    season: Annotated[
        str,
        typer.Option(
            "--season", metavar="MM-DD:MM-DD", help="Days of the year; may wrap round the new year."
        ),
    ] = "01-01:12-31",
    bands: Annotated[
        str, typer.Option("--bands", help="true-colour, or false-colour (near infrared as red).")
    ] = "true-colour",
    catalogue: Annotated[
        str,
        typer.Option(
            "--catalogue",
            metavar="NAME|URL",
            help="planetary-computer, earth-search, or the address of a STAC API.",
        ),
    ] = "planetary-computer",
    gsd: Annotated[
        float | None, typer.Option("--gsd", help="Metres per pixel; the collection's if not given.")
    ] = None,
    max_items: Annotated[
        int | None,
        typer.Option("--max-items", min=1, help="Observations of each place that are enough."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds one web request may take.")
    ] = 60.0,
    retries: Annotated[
        int, typer.Option("--retries", min=0, max=20, help="Repetitions of a failed web request.")
    ] = 4,
    overwrite: Overwrite = False,
) -> None:
    """Fetch one cloud-free composite a year from a public STAC catalogue."""
    if bands not in ("true-colour", "false-colour"):
        raise typer.BadParameter(
            f"expected true-colour or false-colour, got '{bands}'", param_hint="--bands"
        )
    from app.workflows import fetch_imagery
    from preprocessing.fetch import FetchRequest, Season, parse_bbox, parse_years

    request = FetchRequest(
        bbox=parse_bbox(bbox),
        years=parse_years(years),
        collection=collection,
        out=out,
        season=Season.parse(season),
        composition="false-colour" if bands == "false-colour" else "true-colour",
        catalogue=catalogue,
        gsd_m=gsd,
        max_items=max_items,
        timeout_s=timeout,
        retries=retries,
        overwrite=overwrite,
    )
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        # They report every trial; what matters of it is said once, at the end.
        for library in ("odc", "rasterio", "urllib3"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
    with progress_bars() as progress:
        report = fetch_imagery(request, progress=progress)
    # Years the catalogue does not have stay missing however often one asks; a failure may not.
    say(report.as_text(), err=bool(report.missing or report.failed or report.skipped))
    say(str(report.manifest))
    if report.failed:
        raise typer.Exit(1)
