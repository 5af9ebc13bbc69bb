"""What is asked of a fetch: a place, years, a collection and how a year is made."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from preprocessing.errors import RequestError
from preprocessing.fetch.catalogues import COLLECTIONS, Catalogue, Collection, Composition
from preprocessing.fetch.grid import target_grid
from preprocessing.fetch.season import Season
from preprocessing.rasters.grid import Bounds, Grid

__all__ = ["FetchRequest", "parse_bbox", "parse_years"]

_MAX_WIDTH_DEG = 6.0
_MAX_LATITUDE = 84.0
_FIRST_YEAR = 1972


@dataclass(frozen=True)
class FetchRequest:
    """One place, one collection, several years.

    Attributes:
        bbox: West, south, east, north in degrees (WGS 84).
        years: Calendar years, in order.
        collection: One of `COLLECTIONS`.
        out: Folder for the composites.
        season: Days of the year that are used.
        composition: Which bands are shown as red, green and blue.
        catalogue: Name of a preset or address of a STAC API.
        gsd_m: Metres per pixel; the collection's own where None.
        max_items: Observations of each place that are enough; the collection's own where None.
        timeout_s: Seconds one web request may take.
        retries: How often a failed web request is repeated, each time after a longer pause.
        backoff_s: First pause in seconds.
        workers: Items read side by side.
        overwrite: Fetch finished years again.
    """

    bbox: Bounds
    years: tuple[int, ...]
    collection: str
    out: Path
    season: Season = field(default_factory=Season)
    composition: Composition = "true-colour"
    catalogue: str = "planetary-computer"
    gsd_m: float | None = None
    max_items: int | None = None
    timeout_s: float = 60.0
    retries: int = 4
    backoff_s: float = 1.0
    workers: int = 4
    overwrite: bool = False

    def __post_init__(self) -> None:
        _check_bbox(self.bbox)
        if self.collection not in COLLECTIONS:
            raise RequestError(
                f"expected a collection among {', '.join(COLLECTIONS)}, got {self.collection}"
            )
        this_year = dt.datetime.now(dt.UTC).year
        wrong = [year for year in self.years if not _FIRST_YEAR <= year <= this_year]
        if not self.years or wrong:
            raise RequestError(
                f"expected years between {_FIRST_YEAR} and {this_year}, got "
                f"{', '.join(map(str, wrong)) or 'none'}"
            )
        if self.gsd_m is not None and not (math.isfinite(self.gsd_m) and self.gsd_m > 0):
            raise RequestError(f"expected metres per pixel above 0, got {self.gsd_m}")
        for name, value, least in (
            ("observations of each place (max_items)", self.max_items, 1),
            ("seconds for a web request (timeout_s)", self.timeout_s, 0.1),
            ("repetitions of a web request (retries)", self.retries, 0),
            ("items read side by side (workers)", self.workers, 1),
        ):
            if value is not None and not value >= least:
                raise RequestError(f"expected {name} of {least} or more, got {value}")
        self.source.name_of(self.collection)

    @property
    def profile(self) -> Collection:
        """What is known of the collection."""
        return COLLECTIONS[self.collection]

    @property
    def source(self) -> Catalogue:
        """The catalogue to search."""
        return Catalogue.find(self.catalogue)

    @property
    def grid(self) -> Grid:
        """That of every year.

        Raises:
            RequestError: See `target_grid`.
        """
        return target_grid(
            self.bbox,
            gsd_m=self.gsd_m or self.profile.gsd_m,
            pixel_centre_grid=self.profile.pixel_centre_grid,
            northern_zones=self.profile.northern_zones,
        )

    @property
    def layers(self) -> int:
        """Observations of each place that are enough for a year."""
        return self.max_items or self.profile.layers

    @property
    def place(self) -> str:
        """Name of the place in the manifest."""
        return "_".join(f"{value:g}" for value in self.bbox)

    def path_of(self, year: int) -> Path:
        """File of one year."""
        return self.out / f"{self.collection}_{year}.tif"

    @property
    def identity(self) -> str:
        """What a finished year depends on; two requests of one identity share their files."""
        return json.dumps(
            {
                "bbox": [round(value, 9) for value in self.bbox],
                "collection": self.collection,
                "catalogue": self.source.url,
                "season": str(self.season),
                "composition": self.composition,
                "gsd_m": self.gsd_m or self.profile.gsd_m,
                "max_items": self.layers,
            },
            sort_keys=True,
        )


def parse_bbox(text: str) -> Bounds:
    """Read `W,S,E,N` in degrees.

    Raises:
        RequestError: Not four numbers.
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise RequestError(
            f"expected --bbox W,S,E,N in degrees such as 11.3,44.4,11.5,44.6, got '{text}'"
        ) from None
    return Bounds(west, south, east, north)


def parse_years(text: str) -> tuple[int, ...]:
    """Read `2016-2024`, `2016,2020` or a mixture.

    Raises:
        RequestError: Not of this form.
    """
    years: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        bounds = (first, last if dash else first)
        if not all(len(bound) == 4 and bound.isdecimal() for bound in bounds):
            raise RequestError(f"expected --years such as 2016-2024 or 2016,2020, got '{text}'")
        if int(bounds[1]) < int(bounds[0]):
            raise RequestError(f"expected --years from earlier to later, got '{part.strip()}'")
        years.update(range(int(bounds[0]), int(bounds[1]) + 1))
    return tuple(sorted(years))


def _check_bbox(bbox: Bounds) -> None:
    west, south, east, north = bbox
    shown = ",".join(f"{value:g}" for value in bbox)
    if not all(math.isfinite(value) for value in bbox):
        raise RequestError(f"expected --bbox W,S,E,N as finite degrees, got {shown}")
    if -180 <= east < west <= 180:
        raise RequestError(
            f"expected a --bbox with W < E, got {shown}; a place that crosses the antimeridian is "
            f"fetched in two parts, {west:g},{south:g},180,{north:g} and "
            f"-180,{south:g},{east:g},{north:g} (and W and E must not be swapped otherwise)"
        )
    if not (-180 <= west < east <= 180):
        raise RequestError(f"expected a --bbox with -180 <= W < E <= 180, got {shown}")
    if not (-_MAX_LATITUDE <= south < north <= _MAX_LATITUDE):
        raise RequestError(
            f"expected a --bbox with -{_MAX_LATITUDE:g} <= S < N <= {_MAX_LATITUDE:g}, got "
            f"{shown}; the order is W,S,E,N"
        )
    if east - west > _MAX_WIDTH_DEG:
        raise RequestError(
            f"expected a --bbox at most {_MAX_WIDTH_DEG:g} degrees wide (one UTM zone), got "
            f"{shown}; fetch it in parts"
        )
