"""Text for a terminal: what names of files hold cannot move its cursor or change its colours."""

from __future__ import annotations

import logging

import typer

__all__ = ["PlainFormatter", "one_line", "say"]


def say(text: str, *, err: bool = False) -> None:
    """Print text of one line or more to stdout, or stderr."""
    typer.echo("\n".join(map(one_line, text.split("\n"))), err=err)


def one_line(text: str) -> str:
    """The text with everything that is not printed replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class PlainFormatter(logging.Formatter):
    """A log of one line a message; only a traceback has more."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Format the message of a record."""
        return one_line(super().formatMessage(record))
