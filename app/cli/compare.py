"""`landcast compare`: degrade images, restore them with every method, score them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import progress_bars
from app.cli.options import (
    AllowOutside,
    Bands,
    Overwrite,
    PerceptualWeights,
    Seed,
    Sensor,
    ValueRange,
    parse_bands,
    parse_value_range,
)
from app.cli.printing import say

__all__ = ["compare"]


def compare(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="Images, GeoTIFFs, or folders of them.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    fit: Annotated[
        list[str] | None,
        typer.Option(
            "--fit",
            metavar="IMAGES",
            help="Fit the 3D lookup table on these, not on the other IMAGES; repeatable.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Name, folder or checkpoint of a network; repeatable. Shipped ones if not given.",
        ),
    ] = None,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Also read networks from .pth files.")
    ] = False,
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            help="Of models that are a PSNR and an adversarial network, also score this blend.",
        ),
    ] = None,
    jpeg: Annotated[
        str,
        typer.Option("--jpeg", metavar="Q,Q", help="JPEG qualities 5 to 95, or none, by commas."),
    ] = "5,10,30,50,70,none",
    noise: Annotated[
        float,
        typer.Option("--noise", min=0.0, max=1.0, help="Its standard deviation; 1 is the range."),
    ] = 0.02,
    blur: Annotated[
        float, typer.Option("--blur", min=0.0, max=1.2, help="Sigma of the blur in pixels.")
    ] = 0.0,
    crop: Annotated[
        int, typer.Option("--crop", min=64, max=2048, help="Take the middle, at most so many px.")
    ] = 512,
    seed: Seed = 0,
    save_degraded: Annotated[
        Path | None,
        typer.Option("--save-degraded", metavar="DIR", help="Keep originals and degraded images."),
    ] = None,
    perceptual_weights: PerceptualWeights = None,
    bands: Bands = None,
    value_range: ValueRange = None,
    sensor: Sensor = None,
    overwrite: Overwrite = False,
    _allow_outside: AllowOutside = False,
) -> None:
    """Degrade images, restore them with every method, compare scores, time and crops."""
    levels = _parse_levels(jpeg)
    chosen, limits = parse_bands(bands), parse_value_range(value_range)
    from app.workflows import ComparisonRequest, compare_methods
    from preprocessing.rasters.image_source import Reading

    request = ComparisonRequest(
        images=tuple(images),
        out=out,
        fit=tuple(fit or ()),
        models=tuple(model or ()),
        allow_pickle=allow_pickle,
        alpha=alpha,
        levels=levels,
        noise=noise,
        blur_px=blur,
        crop_px=crop,
        seed=seed,
        save_degraded=save_degraded,
        reading=Reading(chosen, limits, sensor),
        perceptual_weights=perceptual_weights,
        overwrite=overwrite,
    )
    with progress_bars() as progress:
        report = compare_methods(request, progress=progress)
    say(f"{report.read_text(encoding='utf-8').rstrip()}\n\n{report.parent / 'report.html'}")


def _parse_levels(text: str) -> tuple[int | None, ...]:
    """`10,50,none` to qualities."""
    known = {str(quality): quality for quality in range(5, 96)}
    try:
        parts = [part.strip() for part in text.split(",")]
        return tuple(None if part == "none" else known[part] for part in parts)
    except KeyError:
        raise typer.BadParameter(
            f"expected JPEG qualities of 5 to 95 such as 10,50,none, got '{text}'",
            param_hint="--jpeg",
        ) from None
