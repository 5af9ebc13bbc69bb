"""Bands in an uncompressed file that is filled window by window and survives a killed run."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import allocate
from preprocessing.running.files import write_text

__all__ = ["RawRaster"]


class RawRaster:
    """Bands `(count, h, w)` of one type in `folder/pixels.raw`; `done.json` says how far it is.

    The file is mapped for each access alone: pages of a lasting map would count as memory of the
    process.

    Raises:
        NoSpaceError: The disk has no room for the file.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int], dtype: str) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._pixels = folder / "pixels.raw"
        self._done = folder / "done.json"
        size = math.prod(shape) * self.dtype.itemsize
        if not self._pixels.is_file() or self._pixels.stat().st_size != size:
            self._done.unlink(missing_ok=True)
            allocate(self._pixels, size)

    @property
    def done(self) -> dict[str, int]:
        """What `mark` noted last, by name."""
        try:
            found: dict[str, int] = json.loads(self._done.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found

    def mark(self, name: str, value: int) -> None:
        """Note how far something is; all that was written before is on the disk then."""
        with self._pixels.open("rb+") as file:
            os.fsync(file.fileno())
        write_text(self._done, json.dumps({**self.done, name: value}))

    def write(self, bands: slice, window: Window, stored: NDArray[Any]) -> None:
        """Write `(c, h, w)` at a window of some bands."""
        self._map("r+")[(bands, *window.slices)] = stored

    def read(self, window: Window) -> NDArray[Any]:
        """All bands of a window, `(count, h, w)`."""
        return np.array(self._map("r")[(slice(None), *window.slices)])

    def _map(self, mode: Any) -> NDArray[Any]:
        return np.memmap(self._pixels, dtype=self.dtype, mode=mode, shape=self.shape)
