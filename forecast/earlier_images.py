"""Earlier images of a region, laid over it and in its tone, for models that take a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.start import BLOCK, mirror_edges
from preprocessing.alignment import lay_over
from preprocessing.common_grid import common_grid
from preprocessing.dates import years_between
from preprocessing.errors import DateError
from preprocessing.image_source import FileImage
from preprocessing.io import RasterSource, blocks
from preprocessing.registration import register
from preprocessing.tones import fit_tones

__all__ = ["EarlierSource", "earlier_path", "open_earlier", "read_earlier"]


@dataclass(frozen=True)
class EarlierSource:
    """An opened image of an earlier date.

    Attributes:
        source: The image.
        years: Before the region, above 0.
    """

    source: RasterSource
    years: float


def open_earlier(
    region: RasterSource,
    paths: Sequence[Path],
    *,
    bands: tuple[int, int, int] | None = None,
    value_range: tuple[float, float] | None = None,
) -> list[EarlierSource]:
    """Open the earlier images of a region, the nearest date first.

    Args:
        region: With a date.
        paths: Rasters or pictures that state their dates in metadata or name.
        bands: One-based red, green and blue.
        value_range: Stored values that mean black and white.

    Raises:
        DateError: One has no date, is not earlier than the region, or as old as another.
        RequestError: See `RasterSource.open`.
    """
    found: list[EarlierSource] = []
    for path in paths:
        image = RasterSource.open(path, bands=bands, value_range=value_range)
        if image.date is None or region.date is None:
            raise DateError(
                f"expected the date of {path} in its metadata or name, found none; "
                "name it like place_2016.tif"
            )
        if image.date >= region.date:
            raise DateError(
                f"expected an image from before {region.date}, the date of {region.path}, for "
                f"--history, {path} is of {image.date}; leave it out or state its date"
            )
        for other in found:
            if image.date == other.source.date:
                raise DateError(
                    f"expected earlier images of different dates, {path} and "
                    f"{other.source.path} are both of {image.date}; name one of them"
                )
        found.append(EarlierSource(image, years_between(image.date, region.date)))
    return sorted(found, key=lambda earlier: earlier.years)


def earlier_path(folder: Path, number: int) -> Path:
    """Where `read_earlier` writes an image."""
    return folder / f"earlier_{number}.npy"


def read_earlier(
    region: RasterSource, start: NDArray[np.float32], earlier: RasterSource, path: Path
) -> None:
    """Lay an earlier image over the region, give it the region's tone, write it to a memory map.

    As `landcast prepare` does with the later of two dates: warped to the grid, moved by the
    estimated shift, histogram-matched. Pixels it does not reach or that are nodata get the
    region's own values: no change is known of there.

    Args:
        region: The present.
        start: Its image from `read_start`, `(3, height, width)`, 0..1, padded.
        earlier: Image of an earlier date.
        path: Of the map, float32 like `start`.

    Raises:
        GridMismatchError: Only one image has a CRS, or neither has and the sizes differ.
        NoOverlapError: They share no ground.
        NoValidPixelsError: No pixel is valid at both dates.
        RegistrationError: They cannot be laid over each other.
    """
    present, image = FileImage.of(region), FileImage.of(earlier)
    common_grid(present, image)  # Refuses images that share no ground.
    first, moving = lay_over(present, image, region.grid)
    laid = register(first, moving).image
    tones = fit_tones(first, laid, "histogram")
    result = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=start.shape)
    for window in blocks(region.grid, size=BLOCK):
        at = (slice(None), *window.slices)
        raster = laid.read(window)
        matched = tones.apply(raster).astype(np.float32) / 255
        result[at] = np.where(raster.valid & first.read(window).valid, matched, start[at])
    mirror_edges(result, height=region.grid.height, width=region.grid.width)
    result.flush()
