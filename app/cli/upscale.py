"""`landcast upscale`: pictures, rasters and films, made larger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.bars import progress_bars
from app.cli.options import AllowOutside, Overwrite, Resume, Sensor, ValueRange, parse_value_range
from app.cli.printing import say

__all__ = ["upscale"]


def upscale(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Picture, raster, film, or a folder of them.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUTPUT", help="File, or folder for a folder.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-n",
            help="Shipped name, model folder or checkpoint; if not given, rrdb4-jpeg for what is "
            "stored as JPEG, else rrdb16.",
        ),
    ] = None,
    blend: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            min=0,
            max=1,
            help="Between the PSNR network (0: faithful) and the adversarial one (1: sharp).",
        ),
    ] = None,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Also read a model from a .pth file.")
    ] = False,
    outscale: Annotated[
        float, typer.Option("--outscale", "-s", min=1, max=8, help="Scale, any number.")
    ] = 4.0,
    tile: Annotated[
        int, typer.Option("--tile", "-t", min=0, max=4096, help="Side of a tile; 0: no tiles.")
    ] = 256,
    tile_pad: Annotated[
        int | None,
        typer.Option("--tile-pad", "--tile_pad", min=0, max=512, help="What it sees around it."),
    ] = None,
    pre_pad: Annotated[
        int,
        typer.Option("--pre-pad", "--pre_pad", min=0, max=512, help="Mirrored at the edges."),
    ] = 8,
    fp32: Annotated[bool, typer.Option("--fp32", help="Never compute in bfloat16.")] = False,
    alpha_upsampler: Annotated[
        Literal["network", "bicubic"],
        typer.Option(
            "--alpha-upsampler", "--alpha_upsampler", help="Enlarges alpha: network or bicubic."
        ),
    ] = "network",
    ext: Annotated[
        str | None,
        typer.Option("--ext", help="Format of the pictures of a folder: png, jpg, webp, tif."),
    ] = None,
    keep_means: Annotated[
        bool | None,
        typer.Option(
            "--keep-means/--free-means",
            help="Means over 4x4 pixels equal the input; yes for rasters, no for pictures.",
        ),
    ] = None,
    bandwise: Annotated[
        bool, typer.Option("--bandwise", help="One band at a time, not three.")
    ] = False,
    maps: Annotated[
        bool, typer.Option("--maps", help="Also write maps of what the result adds to INPUT.")
    ] = False,
    value_range: ValueRange = None,
    sensor: Sensor = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    _allow_outside: AllowOutside = False,
) -> None:
    """Enlarge a picture, GeoTIFF or film with the super-resolution network."""
    limits = parse_value_range(value_range)
    from app.workflows import UpscaleRequest
    from app.workflows import upscale as run
    from sr.upscale.bands import UpscaleOptions

    options = UpscaleOptions(
        outscale=outscale,
        tile=tile,
        tile_pad=tile_pad,
        pre_pad=pre_pad,
        fp32=fp32,
        alpha_upsampler=alpha_upsampler,
        bandwise=bandwise,
    )
    request = UpscaleRequest(
        source=source,
        out=out,
        options=options,
        keep_means=keep_means,
        model=model,
        blend=blend,
        allow_pickle=allow_pickle,
        value_range=limits,
        sensor=sensor,
        maps=maps,
        ext=ext,
        resume=resume,
        overwrite=overwrite,
    )
    with progress_bars() as progress:
        written = run(request, progress=progress, notice=lambda text: say(text, err=True))
    for path in written:
        say(str(path))
