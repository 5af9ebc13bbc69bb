"""Space on the disk: asked for before it is written to through a memory map.

A memory map of a sparse file on a full disk ends the process by a signal, without a word.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from preprocessing.errors import NoSpaceError
from preprocessing.running.partial_files import partial_path

__all__ = ["FULL", "Zeros", "allocate", "check_space", "disk_zeros", "mapped_array"]

Zeros = Callable[[tuple[int, ...], DTypeLike], NDArray[Any]]
"""Makes an array of zeros from shape and type, as `numpy.zeros` does."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a full disk and of a used-up quota."""


def check_space(folder: Path, size: int, purpose: str) -> None:
    """Refuse to begin what will not fit.

    Raises:
        NoSpaceError: Fewer than `size` bytes are free in `folder`.
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        raise NoSpaceError(
            f"expected {_shown(size)} of free disk in {folder} for {purpose}, {_shown(free)} are "
            "free; free some, or write to another disk"
        )


def allocate(path: Path, size: int) -> None:
    """Make a file of zeros whose space is taken from the disk now.

    Raises:
        NoSpaceError: There is too little; the file is gone then.
    """
    try:
        with path.open("wb") as file:
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            file.truncate(size)
    except OSError as err:
        path.unlink(missing_ok=True)
        if err.errno not in FULL:
            raise
        raise NoSpaceError(
            f"expected {_shown(size)} of free disk in {path.parent}, it is full; free some and go "
            "on with --resume, or write to another disk"
        ) from err


def mapped_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A new `.npy` file as a memory map for writing, its space taken from the disk before.

    Raises:
        NoSpaceError: There is too little.
    """
    kind, beginning = np.dtype(dtype), io.BytesIO()
    described = np.lib.format.header_data_from_array_1_0(np.empty(0, kind))
    np.lib.format.write_array_header_1_0(beginning, {**described, "shape": tuple(map(int, shape))})
    header = beginning.getvalue()
    allocate(path, len(header) + int(np.prod(shape, dtype=np.int64)) * kind.itemsize)
    with path.open("r+b") as file:
        file.write(header)
    values: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="r+")
    return values


def disk_zeros(folder: Path) -> Zeros:
    """Arrays of zeros on the disk of a folder, for planes that grow with a region.

    Their files have no name, so they are gone when the arrays are, however the process ends.

    Raises:
        NoSpaceError: There is too little, when an array is asked for.
    """

    def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        path = partial_path(folder / "plane.npy")
        values = np.asarray(mapped_array(path, dtype, shape))
        with suppress(PermissionError):  # Some systems keep what is open until its owner clears up.
            path.unlink()
        return values

    return zeros


def _shown(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
