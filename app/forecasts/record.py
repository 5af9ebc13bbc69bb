"""What `run.json` says of a forecast, and what was assumed where nothing says it."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.forecasts.request import ForecastRequest
from forecast.region.area import ChangedArea, log_odds_spread
from forecast.region.ground import Ground
from forecast.region.images import DatedImages
from preprocessing.rasters.band_choice import by_position
from preprocessing.rasters.opening import opened
from preprocessing.running.counted import counted

__all__ = ["assumptions", "run_record"]


def assumptions(request: ForecastRequest, images: DatedImages) -> list[str]:
    """One sentence for each thing, for the command line and `run.json`."""
    start, said = images.start, []
    with opened(start.path) as dataset:
        if request.bands is None and by_position(dataset, start.bands, named=request.sensor):
            bands = ", ".join(map(str, start.bands))
            said.append(
                f"assumed: bands {bands} of {start.name} are red, green and blue, as nothing names "
                "them (--bands, --sensor)"
            )
        stated = dataset.tags().get("VALUE_RANGE")
    eight_bit = start.encoding.dtype == "uint8" and stated is None
    if eight_bit and request.value_range is None and request.sensor is None:
        said.append("assumed: 0 is black and 255 white, as in pictures (--value-range)")
    if start.metadata is not None and start.metadata.scaled and request.sensor is None:
        said.append(
            f"assumed: the range of values is of stored values; scale and offset that {start.name} "
            "states are not applied"
        )
    if start.unwritten is not None:
        said.append(
            f"assumed: {counted(len(start.unwritten.blocks), 'block')} of {start.name}, never "
            "written, is missing ground, not black"
        )
    if start.collar is not None:
        said.append(
            f"assumed: black filling around {start.name} ({start.collar.share:.0%} of it) is "
            "missing ground, not black"
        )
    if request.year is None:
        said.append(f"assumed: {start.name} is of {start.date}, by its tags or name (--year)")
    if start.grid.crs is None:
        said.append("assumed: no place and no size of the pixels, as there is no georeference")
    elif start.grid.gsd_m is None:
        said.append("assumed: no size of the pixels, as the coordinate system does not say it")
    return said


def run_record(
    identity: dict[str, Any],
    request: ForecastRequest,
    images: DatedImages,
    ground: Ground,
    areas: dict[int, ChangedArea],
    seconds: float,
) -> dict[str, Any]:
    """The content of `run.json`.

    Args:
        identity: From `identity_of`.
        request: What was asked for.
        images: Start and history.
        ground: The region at its start, with what its past taught.
        areas: By year, how much ground is expected to have changed.
        seconds: That the run took.
    """
    grid = images.start.grid
    rows = grid.row_gsd_m()
    area = None if rows is None else grid.width * float((rows**2).sum()) / 1e6
    packages = ("landcast", "torch", "diffusers", "numpy", "rasterio")
    arguments = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(request).items()
    }
    arguments["images"] = [str(path) for path in request.images]
    return {
        **identity,
        "resumed": request.resume,
        "years": list(areas),
        "changed_area": {
            "unit": "pixels" if grid.gsd_m is None else "hectares",
            "log_odds_spread": log_odds_spread(taught=ground.quantity is not None),
            **{str(year): found.rounded() for year, found in areas.items()},
        },
        "outside_experience": ground.outside,
        "hindcast": None if ground.skill is None else ground.skill.rounded(),
        "weight_of_past": round(ground.weight, 4),
        "assumed": assumptions(request, images),
        "history_left_out": list(ground.left_out),
        "arguments": arguments,
        "versions": {name: version(name) for name in packages},
        "seconds": round(seconds, 1),
        "km2": area,
        "km2_per_hour": None if area is None else round(area / seconds * 3600, 3),
    }
