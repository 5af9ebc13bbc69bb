"""Names of files in the making: hidden, and of one writer alone, so that no two share a file."""

from __future__ import annotations

import re
import shutil
import uuid
from pathlib import Path

__all__ = ["partial_path", "remove_partials_in", "remove_partials_of"]

_UNIQUE = r"[0-9a-f]{8}"
_PARTIAL = re.compile(rf"\..*\.{_UNIQUE}\.part(\.[^.]+)?(\.aux\.xml)?", re.DOTALL)


def partial_path(path: Path) -> Path:
    """A name beside `path` that no other writer uses, with its ending."""
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")


def remove_partials_of(path: Path) -> None:
    """Remove what killed writers of `path` left; to be called by its owner, before it writes."""
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    _remove(path.parent, re.compile(rf"\.{stem}\.{_UNIQUE}\.part{suffix}(\.aux\.xml)?"))


def remove_partials_in(folder: Path) -> None:
    """Remove what killed writers left in a folder and below; to be called by its owner."""
    if not folder.is_dir():
        return
    _remove(folder, _PARTIAL)
    for below in folder.iterdir():
        if below.is_dir() and not below.is_symlink():
            remove_partials_in(below)


def _remove(folder: Path, pattern: re.Pattern[str]) -> None:
    for leftover in folder.iterdir():
        if pattern.fullmatch(leftover.name) is None:
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)
