"""Tables as spreadsheets write them: any separator, capitals and encoding, days before months."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import re
from collections.abc import Sequence
from pathlib import Path

from preprocessing.errors import DateError, RequestError

__all__ = ["dates_of", "read_table"]

_SEPARATORS = (",", ";", "\t", "|")
_YEAR = re.compile(r"(\d{4})(?:\.0)?")
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ].*)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T.*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?: .*)?")


def read_table(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Rows of a table with a header, as the number of their line and their fields, trimmed.

    Args:
        path: Text in UTF-8 or UTF-16, or in the Windows encoding of Western Europe.
        needed: Columns, in lower case; a row may leave out none of them.

    Raises:
        RequestError: A column is missing, a line too short, or this is no text.
    """
    text = _text(path)
    head = text.lstrip().split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[tuple[int, dict[str, str]]] = []
    names: list[str] | None = None
    try:
        for row in reader:
            if not any(field.strip() for field in row):
                continue
            if names is None:
                names = [field.strip().lower() for field in row]
                missing = [name for name in needed if name not in names]
                if missing:
                    raise RequestError(
                        f"expected the columns {', '.join(needed)} in {path}, "
                        f"missing: {', '.join(missing)}"
                    )
                continue
            fields = dict(zip(names, (field.strip() for field in row), strict=False))
            absent = [name for name in needed if not fields.get(name)]
            if absent:
                raise RequestError(
                    f"expected {', '.join(needed)} in {path} line {reader.line_num}, "
                    f"{', '.join(absent)} is empty; fill it or remove the line"
                )
            rows.append((reader.line_num, fields))
    except csv.Error as err:
        raise RequestError(f"expected a table (CSV), {path} is damaged ({err})") from err
    if names is None:
        raise RequestError(f"expected the columns {', '.join(needed)} in {path}, it is empty")
    return rows


def dates_of(texts: Sequence[str], places: Sequence[str]) -> list[dt.date]:
    """Dates of a column: a year, `2016-5-4`, `20160504`, `4.5.2016`, or `13/5/2016`.

    Dots stand between day, month and year. Of slashes and dashes before a year the column must
    show which is the day: by a number above 12 in some row.

    Args:
        texts: The column.
        places: Where each text stands, for messages.

    Raises:
        DateError: A text is no date, or day and month cannot be told apart.
    """
    parts = [m for m in map(_YEAR_LAST.fullmatch, texts) if m and m[2] != "."]
    day_first = any(int(m[1]) > 12 for m in parts)
    month_first = any(int(m[3]) > 12 for m in parts)
    dates = []
    for text, place in zip(texts, places, strict=True):
        last = _YEAR_LAST.fullmatch(text)
        if last and last[2] != "." and day_first == month_first:
            raise DateError(
                f"expected a year or YYYY-MM-DD in column date of {place}, got {text!r}, of which "
                "day and month cannot be told apart; write the dates as YYYY-MM-DD"
            )
        date = _date(text, day_first=day_first)
        if date is None:
            raise DateError(
                f"expected a year or YYYY-MM-DD in column date of {place}, got {text!r}"
            )
        dates.append(date)
    return dates


def _date(text: str, *, day_first: bool) -> dt.date | None:
    year = _YEAR.fullmatch(text)
    first = _YEAR_FIRST.fullmatch(text)
    compact = _COMPACT.fullmatch(text)
    last = _YEAR_LAST.fullmatch(text)
    try:
        if year:
            return dt.date(int(year[1]), 1, 1)
        if first:
            return dt.date(int(first[1]), int(first[3]), int(first[4]))
        if compact:
            return dt.date(int(compact[1]), int(compact[2]), int(compact[3]))
        if last:
            day, month = int(last[1]), int(last[3])
            if last[2] != "." and not day_first:
                day, month = month, day
            return dt.date(int(last[4]), month, day)
    except ValueError:
        pass
    return None


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise RequestError(f"expected a table (CSV), {path} is no text; save it as CSV in UTF-8")
