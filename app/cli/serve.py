"""`landcast app` and `landcast serve`: the map application, and the service alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.printing import say

__all__ = ["serve"]


def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, envvar="LANDCAST_PORT")] = 8501,
    host: Annotated[
        str,
        typer.Option("--host", envvar="LANDCAST_HOST", help="0.0.0.0 to be seen from outside."),
    ] = "localhost",
    base_path: Annotated[
        str,
        typer.Option(
            "--base-path",
            metavar="/PATH",
            envvar="LANDCAST_BASE_PATH",
            help="What addresses begin with behind a proxy.",
        ),
    ] = "",
    runs: Annotated[
        Path | None,
        typer.Option(
            "--runs",
            metavar="DIR",
            envvar="LANDCAST_RUNS",
            help="Folder of runs; in the user's folder of data if not given.",
        ),
    ] = None,
    slots: Annotated[
        int, typer.Option("--slots", min=1, envvar="LANDCAST_SLOTS", help="Runs at once.")
    ] = 1,
    queue: Annotated[
        int, typer.Option("--queue", min=1, envvar="LANDCAST_QUEUE", help="Runs that may wait.")
    ] = 8,
    upload_bytes: Annotated[
        int,
        typer.Option(
            "--upload-bytes", min=1, envvar="LANDCAST_UPLOAD_BYTES", help="Of one request, at most."
        ),
    ] = 200 * 2**20,
    pixels: Annotated[
        int,
        typer.Option("--pixels", min=1, envvar="LANDCAST_PIXELS", help="Of an image, at most."),
    ] = 25_000_000,
    upscale_pixels: Annotated[
        int,
        typer.Option(
            "--upscale-pixels",
            min=1,
            envvar="LANDCAST_UPSCALE_PIXELS",
            help="Of a picture to be upscaled, at most.",
        ),
    ] = 1_000_000,
    work: Annotated[
        int,
        typer.Option(
            "--work",
            min=1,
            envvar="LANDCAST_WORK",
            help="Years times members times pixels of a forecast, at most.",
        ),
    ] = 1_000_000_000,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar="LANDCAST_TOKEN", help="What requests must carry."),
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            envvar="LANDCAST_FOLDERS",
            help="Images in it may be named by their path; repeatable.",
        ),
    ] = None,
    catalogue: Annotated[
        str,
        typer.Option(
            "--catalogue",
            metavar="NAME|URL",
            envvar="LANDCAST_CATALOGUE",
            help="Catalogue that the pages search first, as of landcast fetch.",
        ),
    ] = "planetary-computer",
    basemap: Annotated[
        str | None,
        typer.Option(
            "--basemap",
            metavar="URL",
            envvar="LANDCAST_BASEMAP",
            help="Tiles to lay under the maps, an address with {z}, {x} and {y}; none if not "
            "given.",
        ),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Do not open a browser.")] = False,
) -> None:
    """Start the map application with its HTTP service, or the service alone."""
    from app.runs import ServerSettings
    from app.runs.settings import default_runs_folder
    from app.server import serve as start

    settings = ServerSettings(
        host=host,
        port=port,
        base_path=base_path,
        runs=runs or default_runs_folder(),
        slots=slots,
        queue=queue,
        upload_bytes=upload_bytes,
        pixels=pixels,
        upscale_pixels=upscale_pixels,
        work=work,
        token=token,
        folders=tuple(folders or ()),
        catalogue=catalogue,
        basemap=basemap,
    )
    start(settings, pages=context.info_name == "app", headless=headless, notice=say)
