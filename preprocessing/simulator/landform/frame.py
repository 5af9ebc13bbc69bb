"""The two grids of a world: fine pixels (half a scene pixel) and wide cells for flow and paths."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.config import WorldConfig

__all__ = ["Frame"]

_MARGIN = 12
_CELL_M = 40.0
_MOST_CELLS = 220


@dataclass(frozen=True)
class Frame:
    """Geometry of a world.

    Land is simulated on fine pixels, two per scene pixel along each axis, so that scene pixels
    on borders are mixed. Water flow and road planning use wide cells, with a margin around the
    scene so that its edges are nothing special.

    Attributes:
        height: Fine rows.
        width: Fine columns.
        fine_m: Metres per fine pixel.
        cell_m: Metres per cell.
        cell_height: Rows of cells, margins included.
        cell_width: Columns of cells, margins included.
    """

    height: int
    width: int
    fine_m: float
    cell_m: float
    cell_height: int
    cell_width: int

    @classmethod
    def of(cls, config: WorldConfig) -> Frame:
        """The frame of a configuration."""
        extent_m = max(config.height, config.width) * config.gsd_m
        cell_m = max(4.0 * config.gsd_m, min(_CELL_M, extent_m / 64), extent_m / _MOST_CELLS)
        return cls(
            2 * config.height,
            2 * config.width,
            config.gsd_m / 2,
            cell_m,
            math.ceil(config.height * config.gsd_m / cell_m) + 2 * _MARGIN,
            math.ceil(config.width * config.gsd_m / cell_m) + 2 * _MARGIN,
        )

    def scaled(self, factor: float) -> Frame:
        """The same pixels, every length `factor` times shorter.

        Landforms look much alike at all scales: one laid out on the scaled frame is `factor`
        times larger on this one.
        """
        return replace(self, fine_m=self.fine_m / factor, cell_m=self.cell_m / factor)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of fine pixels."""
        return (self.height, self.width)

    @property
    def cell_shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return (self.cell_height, self.cell_width)

    @property
    def margin(self) -> int:
        """Cells outside the scene on each side."""
        return _MARGIN

    def px(self, metres: float) -> float:
        """Metres in fine pixels."""
        return metres / self.fine_m

    def to_fine(self, cells: NDArray[Any], *, smooth: bool = True) -> NDArray[np.float32]:
        """Values on cells `(ch, cw)`, interpolated to fine pixels `(h, w)`."""
        scale = self.fine_m / self.cell_m
        offset = 0.5 * scale - 0.5 + _MARGIN
        matrix = np.array([[scale, 0.0, offset], [0.0, scale, offset]])
        method = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
        fine = cv2.warpAffine(
            np.ascontiguousarray(cells, dtype=np.float32),
            matrix,
            (self.width, self.height),
            flags=method | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(fine, dtype=np.float32)

    def to_cells(self, fine: NDArray[Any]) -> NDArray[np.float32]:
        """Fine values averaged over cells; the margin repeats the edge."""
        ratio = self.cell_m / self.fine_m
        size = (math.ceil(self.width / ratio), math.ceil(self.height / ratio))
        inner = cv2.resize(np.asarray(fine, dtype=np.float32), size, interpolation=cv2.INTER_AREA)
        rows = self.cell_height - size[1] - _MARGIN
        cols = self.cell_width - size[0] - _MARGIN
        return np.pad(inner, ((_MARGIN, rows), (_MARGIN, cols)), mode="edge")

    def cell_points(self, cells: NDArray[Any]) -> NDArray[np.float64]:
        """Flat cell indexes `(n,)` as fine `(x, y)` points `(n, 2)`."""
        row, col = np.divmod(np.asarray(cells), self.cell_width)
        ratio = self.cell_m / self.fine_m
        points = np.stack([col - _MARGIN + 0.5, row - _MARGIN + 0.5], axis=1) * ratio - 0.5
        return np.asarray(points, dtype=np.float64)
