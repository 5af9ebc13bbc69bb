"""The date of an image, from its metadata or its file name."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from preprocessing.errors import DateError

__all__ = ["date_from_creation", "date_from_name", "date_from_tags"]

_FULL = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?=\D|$|T\d)"
)
_YEAR = re.compile(r"(?<!\d)(19[3-9]\d|20\d\d)(?!\d)")
# STAC's `datetime` says when the ground was seen, `DateTime` of an image when the file was made.
_ACQUIRED = ("ACQUISITION_DATE", "DATE_ACQUIRED", "ACQUISITIONDATETIME", "datetime")
_CREATED = ("TIFFTAG_DATETIME", "DATETIME")


def date_from_name(path: str | Path) -> dt.date | None:
    """Date in a file name: `2016-08-16`, `20160816`, or a lone year (then the first of January).

    Raises:
        DateError: The name holds several different years.
    """
    stem = Path(str(path)).stem
    dates = {dt.date(int(m[1]), int(m[3]), int(m[4])) for m in _FULL.finditer(stem) if _real(m)}
    if dates:
        found = sorted(dates)
    else:
        found = sorted({dt.date(int(m[1]), 1, 1) for m in _YEAR.finditer(stem)})
    if len({d.year for d in found}) > 1:
        years = ", ".join(str(d.year) for d in found)
        raise DateError(
            f"expected one year in the name of {path}, got {years}; "
            "leave one in the name, or state the year"
        )
    return found[0] if found else None


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


def _first_date(tags: Mapping[str, str], names: Iterable[str]) -> dt.date | None:
    """Date of the first of `names` that holds one; names in capitals match any spelling."""
    known = {**{key.upper(): value for key, value in tags.items()}, **tags}
    for name in names:
        match = re.match(r"\s*(\d{4})[-:/]?(\d{2})[-:/]?(\d{2})", known.get(name, ""))
        if match:
            try:
                return dt.date(int(match[1]), int(match[2]), int(match[3]))
            except ValueError:
                continue
    return None


def _real(match: re.Match[str]) -> bool:
    try:
        dt.date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return False
    return True
