"""Files that name other files: what they may lead to without being asked.

A manifest or a mosaic that someone sent is data; what it names is read with the rights of whoever
runs landcast. Lists stay in their folder, and mosaics off the network, unless that is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preprocessing.errors import OutsideError

__all__ = ["VARIABLE", "check_inside", "is_inside", "outside_allowed", "reading_outside"]

VARIABLE = "LANDCAST_ALLOW_OUTSIDE"
"""Set to 1 it does what `--allow-outside` does; worker processes inherit it."""


def outside_allowed() -> bool:
    """Whether files may name others outside their own folder, and addresses."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


@contextmanager
def reading_outside(allowed: bool) -> Iterator[None]:
    """Allow it for a while, in this process and those it starts; False leaves it as it is."""
    before = os.environ.get(VARIABLE)
    if allowed:
        os.environ[VARIABLE] = "1"
    try:
        yield
    finally:
        if allowed:
            if before is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = before


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a file lies in a folder or below, links followed."""
    return path.resolve().is_relative_to(folder.resolve())


def check_inside(path: Path, listing: Path) -> None:
    """Refuse a file that lies outside the folder of the list that names it.

    Raises:
        OutsideError: It does, and nothing allows it.
    """
    if not outside_allowed() and not is_inside(path, listing.parent):
        raise OutsideError(
            f"expected files in the folder of {listing}, it names {path}; move it there, or pass "
            "--allow-outside if you trust the list"
        )
