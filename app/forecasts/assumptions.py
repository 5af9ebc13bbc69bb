"""What a forecast assumed of its start where neither the file nor the request says it."""

from __future__ import annotations

from app.forecasts.request import ForecastRequest
from forecast.states.images import DatedImages
from preprocessing.rasters.band_choice import by_position
from preprocessing.rasters.opening import opened
from preprocessing.running.counted import counted

__all__ = ["assumptions"]


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
