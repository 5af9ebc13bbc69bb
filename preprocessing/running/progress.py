"""How far long work is, told to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "Steps", "untold"]

Progress = Callable[[str, int, int], None]
"""Called with `(stage, done, total)`."""
Steps = Callable[[int, int], None]
"""Called with `(done, total)` of one stage."""


def untold(*_: object) -> None:
    """Progress that nobody follows."""
