"""Tile pairs in memory: the arrays that a pair store keeps, their types and checksums."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHECK",
    "DTYPES",
    "FIELDS",
    "IMAGES",
    "LABELS",
    "SPLITS",
    "TILE_PX",
    "Pairs",
    "checksums",
]

TILE_PX = 128
SPLITS = ("train", "val", "test")
IMAGES = ("past", "future", "valid")
LABELS = ("years", "gsd_m", "row", "col", "split")
FIELDS = (*IMAGES, *LABELS, "source")
CHECK = "checksum"
DTYPES = {
    "past": "uint8",
    "future": "uint8",
    "valid": "bool",
    "years": "float32",
    "gsd_m": "float32",
    "row": "int32",
    "col": "int32",
    "split": "uint8",
    "source": "uint32",
    CHECK: "uint32",
}


@dataclass(frozen=True)
class Pairs:
    """A batch of tile pairs in memory; all arrays share the first axis `n`.

    Attributes:
        past: `(n, 3, side, side)` uint8, 0..255 over the sensor's value range; the side is 128
            px unless larger chips were asked for.
        future: Like `past`, on the same grid, histogram-matched to it.
        valid: `(n, side, side)` bool, True where both dates are observed.
        years: `(n,)` float32, years from past to future, > 0.
        gsd_m: `(n,)` float32, metres per pixel; NaN where unknown.
        row: `(n,)` int32, first row of the tile on the common grid.
        col: `(n,)` int32, first column.
        split: `(n,)` uint8, index into `SPLITS`.
        source: `(n,)` strings `dataset/place/earlier/later`.
    """

    past: NDArray[np.uint8]
    future: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    years: NDArray[np.float32]
    gsd_m: NDArray[np.float32]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    split: NDArray[np.uint8]
    source: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.past)

    @property
    def side_px(self) -> int:
        """Side of the tiles in pixels."""
        return int(self.past.shape[-1])

    def __post_init__(self) -> None:
        n = len(self.past)
        tile = (self.past.shape[-1],) * 2
        shapes = {
            "past": (n, 3, *tile),
            "future": (n, 3, *tile),
            "valid": (n, *tile),
            **dict.fromkeys(("years", "gsd_m", "row", "col", "split", "source"), (n,)),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                got = getattr(self, name).shape
                raise ValueError(f"pairs: expected {name} of shape {shape}, got {got}")

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """The pairs of one batch or more, one after the other."""
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in FIELDS})

    def take(self, index: NDArray[Any]) -> Pairs:
        """The pairs at `index` (integers or a boolean mask)."""
        return Pairs(**{name: getattr(self, name)[index] for name in FIELDS})


def checksums(values: dict[str, NDArray[Any]]) -> NDArray[np.uint32]:
    """CRC-32 of each pair, because Zarr reads missing files as zeros.

    Args:
        values: Arrays named by `IMAGES` and `LABELS` that share the first axis `n`.

    Returns:
        `(n,)`.
    """
    labels = np.rec.fromarrays([values[name] for name in LABELS])
    sums = np.zeros(len(labels), np.uint32)
    for i in range(len(sums)):
        crc = zlib.crc32(labels[i].tobytes())
        for name in IMAGES:
            crc = zlib.crc32(np.ascontiguousarray(values[name][i]).data, crc)
        sums[i] = crc
    return sums
