"""Which images a forecast is given: the last date is the start, the others are its history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import DateError, MissingFileError
from preprocessing.pairs.location import is_remote, location_of
from preprocessing.preparation.image_collection import images_of_collection
from preprocessing.preparation.image_folder import RASTER_SUFFIXES
from preprocessing.rasters.dates import check_observed, years_between
from preprocessing.rasters.io import RasterSource

__all__ = ["DatedImages", "EarlierSource", "image_paths", "open_images"]


@dataclass(frozen=True)
class EarlierSource:
    """An opened image of an earlier date.

    Attributes:
        source: The image.
        years: Before the start, above 0; below 0 in `DatedImages.after`.
    """

    source: RasterSource
    years: float


@dataclass(frozen=True)
class DatedImages:
    """The images of a place.

    Attributes:
        start: Of the last date, which the forecast starts from.
        start_year: Its year.
        earlier: The others, the oldest first.
    """

    start: RasterSource
    start_year: int
    earlier: tuple[EarlierSource, ...]

    @property
    def years(self) -> NDArray[np.float64]:
        """`(d,)` years of all dates after the start, ascending; the last is the start itself, 0."""
        return np.array([-image.years for image in self.earlier] + [0.0])

    def until(self, date: int) -> DatedImages:
        """What there was at one of the dates, counted from the oldest, and nothing later."""
        if date == len(self.earlier):
            return self
        start = self.earlier[date]
        return DatedImages(
            start.source,
            _date(start.source).year,
            tuple(_seen_from(start.years, self.earlier[:date])),
        )

    def after(self, date: int) -> tuple[EarlierSource, ...]:
        """The images later than one of the dates, the nearest first; their years are below 0."""
        start = EarlierSource(self.start, 0.0)
        every = (*self.earlier, start)
        return tuple(_seen_from(every[date].years, every[date + 1 :]))


def image_paths(given: Sequence[Path]) -> dict[str | Path, dt.date | None]:
    """The rasters that are named one by one, or that lie in folders or STAC collections.

    Args:
        given: Rasters or pictures, addresses of them, folders, or `collection.json` files whose
            items name rasters.

    Returns:
        By path or address the date that a collection states.

    Raises:
        MissingFileError: A folder or collection names no raster.
        RequestError: See `images_of_collection`.
    """
    paths: dict[str | Path, dt.date | None] = {}
    for path in given:
        found: Mapping[str | Path, dt.date | None]
        if is_remote(location_of(path)):
            found = {location_of(path): None}
        elif path.is_dir():
            collection = path / "collection.json"
            inside = collection.is_file()
            found = images_of_collection(collection) if inside else _of_folder(path)
        elif path.suffix.lower() == ".json" and path.is_file():
            found = images_of_collection(path)
        else:
            found = {path: None}
        if not found:
            raise MissingFileError(
                f"expected rasters of one place in {path}, found none; name the images themselves"
            )
        paths |= found
    return paths


def open_images(
    paths: Iterable[str | Path],
    *,
    year: int | None = None,
    bands: tuple[int, int, int] | None = None,
    value_range: tuple[float, float] | None = None,
    sensor: str | None = None,
) -> DatedImages:
    """Open the images of a place in any order; nothing is read yet.

    Args:
        paths: One or more rasters or pictures; from `image_paths` with dates.
        year: Of the last one named, which then is the start; else every image must state its date
            in metadata or name.
        bands: One-based red, green and blue.
        value_range: Stored values that mean black and white.
        sensor: Name of a sensor's profile, see `RasterSource.open`.

    Raises:
        DateError: An image has no date, that of another, or does not come before the start.
        RequestError: See `RasterSource.open`.
    """
    stated = paths if isinstance(paths, Mapping) else dict.fromkeys(paths)
    *others, last = [
        _opened(
            path,
            None if year is not None and number == len(stated) else when,
            bands=bands,
            value_range=value_range,
            sensor=sensor,
            year=year if number == len(stated) else None,
        )
        for number, (path, when) in enumerate(stated.items(), start=1)
    ]
    dated = [(_date(image), image) for image in (*others, last)]
    if year is None:
        # Of images of one date the last one named.
        dated = sorted(dated, key=lambda item: item[0])
    date, start = dated[-1]
    for when, image in dated[:-1]:
        if when >= date:
            raise DateError(
                f"expected images from before {date}, the date of the start {start.path}, "
                f"{image.path} is of {when}; leave one of them out or state their dates"
            )
    earlier = sorted(dated[:-1], key=lambda item: item[0])
    for (before, one), (when, other) in pairwise(earlier):
        if before == when:
            raise DateError(
                f"expected one image of a date, got {one.path} and {other.path} of {when}, which "
                "would count as seen twice; merge them, leave one out or state their dates"
            )
    return DatedImages(
        start,
        date.year,
        tuple(EarlierSource(image, years_between(when, date)) for when, image in earlier),
    )


def _seen_from(years: float, images: Sequence[EarlierSource]) -> list[EarlierSource]:
    """Images as dated from another start, without those of its own date."""
    return [EarlierSource(i.source, i.years - years) for i in images if i.years != years]


def _opened(path: str | Path, when: dt.date | None, **said: Any) -> RasterSource:
    """A raster, of another date than it tells where that is stated."""
    if when is None:
        return RasterSource.open(path, **said)
    return replace(RasterSource.open(path, **{**said, "year": when.year}), date=when)


def _date(image: RasterSource) -> dt.date:
    if image.date is None:
        raise DateError(
            f"expected the year of {image.path} in its metadata or name, found none; name it like "
            "place_2016.tif, or say the year of the start with --year and name the start last"
        )
    check_observed(image.date, image.path)
    return image.date


def _of_folder(folder: Path) -> dict[str | Path, dt.date | None]:
    """Rasters that lie in a folder itself, by name."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in RASTER_SUFFIXES]
    return dict.fromkeys(sorted(path for path in found if not path.name.startswith(".")))
