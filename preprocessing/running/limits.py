"""Bounds on what a file may ask for before memory is given to it."""

from __future__ import annotations

from collections.abc import Iterable

from preprocessing.errors import RequestError

__all__ = ["MOST_LAYERS", "MOST_WIDTH", "check_counts"]

MOST_WIDTH = 4096
"""Channels of a layer."""
MOST_LAYERS = 128
"""Layers or blocks of a network."""


def check_counts(name: str, values: Iterable[object], most: int) -> None:
    """Refuse numbers in a configuration that are no counts of 1 to `most`.

    Raises:
        RequestError: One of them is none.
    """
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise RequestError(f"expected {name} of 1 to {most} in a configuration, got {value!r}")
