"""Blocks of a GeoTIFF that were never written: GDAL reads zeros there, as black as any shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags

from preprocessing.rasters.opening import is_local
from preprocessing.rasters.window import Window

__all__ = ["UnwrittenBlocks"]


@dataclass(frozen=True)
class UnwrittenBlocks:
    """The blocks that no band of a file has.

    Attributes:
        height: Rows of a block.
        width: Columns of a block.
        blocks: Block row and block column of each.
    """

    height: int
    width: int
    blocks: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, dataset: Any, name: str) -> UnwrittenBlocks | None:
        """Those of an open file; None where there are none, or a mask or nodata tells of them.

        Args:
            dataset: The open rasterio dataset.
            name: What it was opened by; of addresses it is not asked.
        """
        told = any(MaskFlags.all_valid not in flags for flags in dataset.mask_flag_enums)
        if dataset.driver != "GTiff" or not is_local(name) or told:
            return None
        height, width = dataset.block_shapes[0]
        rows, cols = -(-dataset.height // height), -(-dataset.width // width)
        found = frozenset(
            (row, col)
            for row in range(rows)
            for col in range(cols)
            if not any(
                dataset.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", band)
                for band in dataset.indexes
            )
        )
        return cls(height, width, found) if found else None

    def clear(self, valid: NDArray[np.bool_], window: Window) -> None:
        """Mark their pixels in the validity `(h, w)` of a window as not observed."""
        for row, col in self.blocks:
            top, left = row * self.height - window.row, col * self.width - window.col
            below, right = top + self.height, left + self.width
            valid[max(top, 0) : max(below, 0), max(left, 0) : max(right, 0)] = False
