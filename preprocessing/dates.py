"""The date of an image, from its metadata or its file name."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path

from preprocessing.errors import DateError

__all__ = ["date_from_name", "date_from_tags"]

_FULL = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?=\D|$|T\d)"
)
_YEAR = re.compile(r"(?<!\d)(19[3-9]\d|20\d\d)(?!\d)")
_TAGS = ("ACQUISITION_DATE", "DATE_ACQUIRED", "datetime", "DATETIME", "TIFFTAG_DATETIME")


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
            f"expected one year in the name of {path}, got {years}; say which with --year"
        )
    return found[0] if found else None


def date_from_tags(tags: Mapping[str, str]) -> dt.date | None:
    """Date from GDAL metadata items such as `TIFFTAG_DATETIME` (`YYYY:MM:DD ...`), if stated."""
    lower = {key.lower(): value for key, value in tags.items()}
    for tag in _TAGS:
        match = re.match(r"\s*(\d{4})[-:/]?(\d{2})[-:/]?(\d{2})", lower.get(tag.lower(), ""))
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
