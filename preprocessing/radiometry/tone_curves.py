"""Curves that change the tones of an image, one per channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["FINE_LEVELS", "SHOWN_LEVELS", "ToneCurves", "quantised"]

SHOWN_LEVELS = 256
FINE_LEVELS = 65536


@dataclass(frozen=True, eq=False)
class ToneCurves:
    """One curve per channel: unit values in, unit values out.

    Attributes:
        values: `(c, n)` float32, what the inputs `0, 1 / (n - 1), ..., 1` become; not decreasing,
            0..1, straight in between.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        curves = self.values
        if curves.ndim != 2 or curves.shape[1] < 2:
            raise ValueError(f"expected curves (c, n) with n of at least 2, got {curves.shape}")
        if not (np.diff(curves, axis=1) >= 0).all() or curves.min() < 0 or curves.max() > 1:
            raise ValueError("expected curves that do not fall, with values of 0 to 1")

    @classmethod
    def identity(cls, channels: int = 3) -> ToneCurves:
        """Curves that change nothing but clip to 0..1."""
        return cls.linear(np.ones(channels), np.zeros(channels))

    @classmethod
    def linear(cls, gain: NDArray[np.float64], offset: NDArray[np.float64]) -> ToneCurves:
        """Straight lines `gain * value + offset`, clipped to 0..1; `gain` `(c,)` is positive."""
        unit = np.linspace(0, 1, FINE_LEVELS)
        lines = np.clip(np.outer(gain, unit) + np.asarray(offset)[:, None], 0, 1)
        return cls(lines.astype(np.float32))

    @cached_property
    def _fine(self) -> NDArray[np.float32]:
        """The curves at 65536 levels; 8-bit levels are every 257th of them, so none is missed."""
        return self._at(FINE_LEVELS)

    def _at(self, levels: int) -> NDArray[np.float32]:
        """The curves `(c, levels)` at evenly spread inputs."""
        count = self.values.shape[1]
        step, rest = divmod(count - 1, levels - 1)
        if rest == 0:
            return self.values[:, ::step]
        at = np.linspace(0, count - 1, levels)
        rows = [np.interp(at, np.arange(count), curve) for curve in self.values]
        return np.asarray(rows, dtype=np.float32)

    def apply(self, data: NDArray[Any], *, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """Change the values of a block.

        Args:
            data: `(c, h, w)`, unit values (taken to the nearest of 65536 levels, clipped to
                0..1), or uint8 or uint16 over their full range.
            dtype: What to return: uint8 or uint16, over their full range, or float32, 0..1.
                Default: uint8 and uint16 stay what they are, anything else becomes float32.

        Returns:
            Same shape.

        Raises:
            ValueError: Another number of channels.
        """
        if data.ndim != 3 or len(data) != len(self.values):
            raise ValueError(f"expected data ({len(self.values)}, h, w), got {data.shape}")
        kept = data.dtype if data.dtype in (np.uint8, np.uint16) else np.dtype(np.float32)
        wanted = kept if dtype is None else np.dtype(dtype)
        tables = self._at(SHOWN_LEVELS) if data.dtype == np.uint8 else self._fine
        if wanted.kind == "u":
            tables = np.rint(tables * np.iinfo(str(wanted)).max).astype(wanted)
        result = np.empty(data.shape, wanted)
        if data.size:
            for plane, table, out in zip(data, tables, result, strict=True):
                index = plane if plane.dtype == np.uint8 else quantised(plane, FINE_LEVELS)
                cv2.LUT(np.ascontiguousarray(index), np.ascontiguousarray(table)[None], dst=out)
        return result


def quantised(plane: NDArray[Any], levels: int) -> NDArray[Any]:
    """Values `(h, w)` taken to the nearest of `levels`, 256 (uint8) or 65536 (uint16).

    Floats are unit values, clipped to 0..1 (NaN becomes 0); uint8 and uint16 fill their range.
    """
    wanted = np.uint8 if levels == SHOWN_LEVELS else np.uint16
    if plane.dtype == wanted:
        return plane
    most = np.iinfo(plane.dtype).max if plane.dtype.kind == "u" else 1
    if most == 1:
        # Far above 1 the product would leave the integers OpenCV rounds to, and become 0.
        plane = np.minimum(plane, 1)
    plane = np.ascontiguousarray(plane)
    kind = cv2.CV_8U if levels == SHOWN_LEVELS else cv2.CV_16U
    # Not cv2.multiply: it takes a plane of 1 x 1 or 4 x 1 pixels for a scalar.
    return np.asarray(cv2.addWeighted(plane, (levels - 1) / most, plane, 0.0, 0.0, dtype=kind))
