"""Arrays on the disk as what differs from others: little where little differs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from preprocessing.running.partial_files import partial_path

__all__ = ["Difference", "Parts"]


class Parts(Protocol):
    """What gives parts of an array, as NumPy does."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the whole."""
        ...

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        """The part that slices tell."""
        ...


class Difference:
    """An array in the chunks of a Zarr v3 array of the bits that differ from those of another.

    Every value comes back as it was, NaN too. A chunk is written whole, in one move, by whoever
    works on it; others may be written meanwhile. One that was not written is as in the other array.

    Args:
        folder: Of the array, from `create`.
        base: What it differs from, of the same shape.
    """

    def __init__(self, folder: Path, base: NDArray[Any]) -> None:
        import zarr  # Machines that only train have none, and import `Parts`.

        self._folder, self._base = folder, base
        # zarr types an array by more than is told here.
        self._bits: Any = zarr.open_array(folder, mode="r+")

    @classmethod
    def create(cls, folder: Path, base: NDArray[Any], chunk: int) -> Difference:
        """A new one, nothing different yet; one that is there stays as it is.

        It appears in one move, so what a kill leaves is none or whole.

        Args:
            folder: For the array.
            base: `(..., h, w)` what it differs from.
            chunk: Side of its chunks along the last two axes.
        """
        import zarr
        from zarr.codecs import BloscCodec

        if not folder.exists():
            part = partial_path(folder)
            zarr.create_array(
                part,
                shape=base.shape,
                chunks=(*base.shape[:-2], *(min(chunk, size) for size in base.shape[-2:])),
                dtype=_bits(base.dtype),
                compressors=BloscCodec(cname="zstd", clevel=1),
                fill_value=0,
            )
            os.replace(part, folder)
        return cls(folder, base)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the whole."""
        return self._base.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """As that of the other array."""
        return self._base.dtype

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        base = np.ascontiguousarray(self._base[key])
        found: NDArray[Any] = (self._bits[key] ^ base.view(_bits(base.dtype))).view(base.dtype)
        return found

    def __setitem__(self, key: Any, values: NDArray[Any]) -> None:
        base, kind = np.ascontiguousarray(self._base[key]), _bits(self.dtype)
        self._bits[key] = np.ascontiguousarray(values, self.dtype).view(kind) ^ base.view(kind)

    def written(self, row: int, col: int) -> bool:
        """Whether the chunk that begins at a row and a column was written, and differs."""
        *leading, height, width = self._bits.chunks
        place = [*("0" for _ in leading), str(row // height), str(col // width)]
        return self._folder.joinpath("c", *place).exists()


def _bits(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"u{dtype.itemsize}")
