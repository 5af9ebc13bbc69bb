"""The date of an image, from its metadata, a STAC item beside it, or its file name."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from preprocessing.errors import DateError

__all__ = [
    "check_observed",
    "date_from_creation",
    "date_from_name",
    "date_from_stac",
    "date_from_tags",
    "date_of_item",
    "decimal_year",
    "years_between",
]

_FULL = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?=\D|$|T\d)"
)
# Not a size (`2048px`, `2000m`) and not the code of a coordinate system (`epsg2056`).
_YEAR = re.compile(
    r"(?<!\d)(?<!epsg)(?<!epsg[_:-])(19[3-9]\d|20\d\d)(?!\d)(?!(?:px|pix|pixels?|[ck]?m)(?![a-z]))",
    re.IGNORECASE,
)
# Names of products that hold further dates (of processing); the first one is when the ground was
# seen: Landsat Collections 1 and 2 and ARD, Sentinel-2, PlanetScope and SkySat, NAIP quarter quads.
_PRODUCTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:^|_)L[COTEM]0\d_L\w{3}_\d{6}_(\d{8})_\d{8}(?:_|$)",
        r"(?:^|_)L[COTEM]0\d_(?:CU|AK|HI)_\d{6}_(\d{8})_\d{8}(?:_|$)",
        r"(?:^|_)S2[A-D]_MSIL\d[AC]_(\d{8})T\d{6}_N\d{4}_R\d{3}_T\w{5}_\d{8}T\d{6}(?:_|$)",
        r"^(\d{8})_\d{6}_(?:\d{2}_|ssc\d+_)?[0-9a-z]{4,5}_",
        r"^m_\d{7}_(?:ne|nw|se|sw)_\d{1,2}_\w{1,4}_(\d{8})(?:_|$)",
    )
)
# Products whose names count the days of the year: HLS, MODIS and VIIRS.
_DAY_OF_YEAR = re.compile(
    r"^(?:HLS\.[LS]30\.T\w{5}\.|(?:M[OYC]D|V[NJ]P)\w+\.A)(\d{4})(\d{3})(?=\D)", re.IGNORECASE
)
_LONGEST_SPAN = dt.timedelta(days=366)
# STAC's `datetime` says when the ground was seen, `DateTime` of an image when the file was made.
_ACQUIRED = ("ACQUISITION_DATE", "DATE_ACQUIRED", "ACQUISITIONDATETIME", "datetime")
_CREATED = ("TIFFTAG_DATETIME", "DATETIME")


def date_from_name(path: str | Path) -> dt.date | None:
    """Date in a file name: `2016-08-16`, `20160816`, or a lone year (then the first of January).

    In names of Landsat, Sentinel-2, Planet, NAIP, HLS and MODIS products, the date of acquisition.

    Raises:
        DateError: The name holds several different years.
    """
    stem = Path(str(path)).stem
    for product in _PRODUCTS:
        acquired = product.search(stem)
        if acquired and (date := _day(acquired[1])):
            return date
    counted = _DAY_OF_YEAR.search(stem)
    if counted and 1 <= int(counted[2]) <= 366:
        return dt.date(int(counted[1]), 1, 1) + dt.timedelta(days=int(counted[2]) - 1)
    dates = {dt.date(int(m[1]), int(m[3]), int(m[4])) for m in _FULL.finditer(stem) if _real(m)}
    if dates:
        found = sorted(dates)
    else:
        found = sorted({dt.date(int(m[1]), 1, 1) for m in _YEAR.finditer(stem)})
    # Beside a year that has been, one that is still to come is something else: a tile, a code.
    today = dt.date.today()
    found = [day for day in found if day <= today] or found
    if len({d.year for d in found}) > 1:
        years = ", ".join(str(d.year) for d in found)
        raise DateError(
            f"expected one year in the name of {path}, got {years}; "
            "leave one in the name, or state the year (in a manifest, where there are many)"
        )
    return found[0] if found else None


def date_from_stac(path: str | Path) -> dt.date | None:
    """Date in the STAC item `NAME.json` or `NAME.stac.json` beside a local file, if there is one.

    Its `datetime`; where that is null, the middle of `start_datetime` and `end_datetime`. A JSON
    file that is no STAC item does not count.

    Raises:
        DateError: The item states no date, or a span of more than a year.
    """
    path = Path(path)
    for ending in (".stac.json", ".json"):
        beside = path.with_suffix(ending)
        item = _stac_item(beside)
        if item is not None:
            return date_of_item(item, beside)
    return None


def date_of_item(properties: Mapping[str, Any], path: str | Path) -> dt.date:
    """The date that the properties of a STAC item state, see `date_from_stac`.

    Raises:
        DateError: None, or a span of more than a year.
    """
    names = ("datetime", "start_datetime", "end_datetime")
    day, start, end = (_day(str(properties.get(name) or "")) for name in names)
    if day is not None:
        return day
    if start is None or end is None or not dt.timedelta(0) <= end - start <= _LONGEST_SPAN:
        found = ", ".join(f"{name} {properties.get(name)}" for name in names)
        raise DateError(
            f"expected a datetime, or a start and end within a year, in {path}, got {found}; "
            "mend the item, or state the year"
        )
    return start + (end - start) / 2


def date_from_tags(tags: Mapping[str, str]) -> dt.date | None:
    """Date of acquisition from GDAL metadata items such as `ACQUISITION_DATE`, if stated.

    `ACQUISITIONDATETIME` is what GDAL puts into the domain IMAGERY.
    """
    return _first_date(tags, _ACQUIRED)


def date_from_creation(tags: Mapping[str, str]) -> dt.date | None:
    """Date when the file was made (`TIFFTAG_DATETIME`, `YYYY:MM:DD ...`), if stated.

    A file is often made years after its pixels were seen: ask metadata and name first.
    """
    return _first_date(tags, _CREATED)


def check_observed(date: dt.date, name: str | Path) -> None:
    """Refuse a date of an observation that is still to come.

    Raises:
        DateError: It is.
    """
    today = dt.date.today()
    if date.year > today.year:
        raise DateError(
            f"expected an image that has been taken, {name} says {date.year}, which is a number of "
            "another kind or a forecast; state its year (--year, or a manifest), or rename it"
        )


def decimal_year(date: dt.date) -> float:
    """A date as a number of years: the first of July 2015 is 2015.496."""
    first = dt.date(date.year, 1, 1)
    length = (dt.date(date.year + 1, 1, 1) - first).days if date.year < dt.MAXYEAR else 365
    return date.year + (date - first).days / length


def years_between(earlier: dt.date, later: dt.date) -> float:
    """Calendar years from one date to another: whole where day and month agree."""
    if (earlier.month, earlier.day) == (later.month, later.day):
        return float(later.year - earlier.year)
    return decimal_year(later) - decimal_year(earlier)


def _first_date(tags: Mapping[str, str], names: Iterable[str]) -> dt.date | None:
    """Date of the first of `names` that holds one; names in capitals match any spelling."""
    known = {**{key.upper(): value for key, value in tags.items()}, **tags}
    for name in names:
        date = _day(known.get(name, ""))
        if date is not None:
            return date
    return None


def _stac_item(path: Path) -> dict[str, Any] | None:
    """The properties of a STAC item, or None if this is no such file."""
    try:
        item = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(item, dict) or item.get("type") != "Feature" or "stac_version" not in item:
        return None
    properties = item.get("properties")
    return properties if isinstance(properties, dict) else {}


def _day(text: str) -> dt.date | None:
    """The day a text begins with: `2016-08-16...`, `20160816...`; None if it does not."""
    match = re.match(r"\s*(\d{4})[-:/]?(\d{2})[-:/]?(\d{2})", text)
    if match is None:
        return None
    try:
        return dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _real(match: re.Match[str]) -> bool:
    try:
        dt.date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return False
    return True
