"""The part of the year that images are taken from."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from preprocessing.errors import RequestError

__all__ = ["Season"]

_FORM = re.compile(r"(\d\d)-(\d\d):(\d\d)-(\d\d)")
_ORDINARY_YEAR = 2001


@dataclass(frozen=True, slots=True)
class Season:
    """A window of days that comes back every year; it may wrap round the new year.

    A season that wraps belongs to the calendar year its middle lies in: of `11-01:02-10` in 2020
    the first day is 1 November 2020, of `12-01:03-15` it is 1 December 2019.

    Attributes:
        start: Month and day it begins; 29 February means 28 February, which every year has.
        end: Month and day it ends, inclusive.
    """

    start: tuple[int, int] = (1, 1)
    end: tuple[int, int] = (12, 31)

    def __post_init__(self) -> None:
        for month, day in (self.start, self.end):
            try:
                dt.date(2000, month, day)
            except ValueError as err:
                raise RequestError(
                    f"expected a season of month and day such as 06-01:09-15, got {self}: "
                    f"there is no day {month:02}-{day:02}"
                ) from err

    def __str__(self) -> str:
        """As the command line takes it."""
        return "{:02}-{:02}:{:02}-{:02}".format(*self.start, *self.end)

    @classmethod
    def parse(cls, text: str) -> Season:
        """Read `06-01:09-15`.

        Raises:
            RequestError: Not of this form, or no such day.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise RequestError(f"expected a season MM-DD:MM-DD such as 06-01:09-15, got '{text}'")
        first, second, third, fourth = (int(group) for group in match.groups())
        return cls((first, second), (third, fourth))

    @property
    def wraps(self) -> bool:
        """Whether it ends in the year after it began."""
        return self.end < self.start

    def middle(self, year: int) -> dt.date:
        """The middle day of the season that belongs to `year`, always the same month and day.

        Leap days are left out of the reckoning, so that composites of two years are whole years
        apart.
        """
        middle = self._ordinary_middle()
        return dt.date(year, middle.month, middle.day)

    def window(self, year: int) -> tuple[dt.date, dt.date]:
        """First and last day of the season that belongs to `year`."""
        # The season that begins in the ordinary year has its middle there or in the next one.
        begins = year - (self._ordinary_middle().year - _ORDINARY_YEAR)
        return _first_day(begins, self.start), _last_day(begins + self.wraps, self.end)

    def _ordinary_middle(self) -> dt.date:
        first = _first_day(_ORDINARY_YEAR, self.start)
        return first + (_last_day(_ORDINARY_YEAR + self.wraps, self.end) - first) // 2


def _first_day(year: int, month_day: tuple[int, int]) -> dt.date:
    return dt.date(year, *((2, 28) if month_day == (2, 29) else month_day))


def _last_day(year: int, month_day: tuple[int, int]) -> dt.date:
    if month_day == (2, 29):
        return dt.date(year, 3, 1) - dt.timedelta(days=1)
    return dt.date(year, *month_day)
