"""Small rasters written for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS

from preprocessing.rasters.grid import Grid

UTM = CRS.from_epsg(32632)
PLACE = Affine(10, 0, 500_000, 0, -10, 5_000_000)


def write(path: Path, data: np.ndarray, **profile: Any) -> Path:
    count, height, width = data.shape
    defaults = {"driver": "GTiff", "crs": UTM, "transform": PLACE, "dtype": data.dtype}
    with rasterio.open(
        path, "w", height=height, width=width, count=count, **{**defaults, **profile}
    ) as dataset:
        dataset.write(data)
    return path


def noise(count: int = 3, side: int = 40, top: int = 255) -> np.ndarray:
    kind = np.uint8 if top < 256 else np.uint16
    return np.random.default_rng(0).integers(0, top, (count, side, side)).astype(kind)


def same_grid(one: Grid, other: Grid, *, tolerance_px: float = 1e-3) -> bool:
    """Whether shape and CRS are equal and transforms agree within `tolerance_px`."""
    if (one.height, one.width) != (other.height, other.width) or one.crs != other.crs:
        return False
    for col, row in ((0, 0), (one.width, one.height)):
        there = ~one.transform @ (other.transform @ (col, row))
        if abs(there[0] - col) > tolerance_px or abs(there[1] - row) > tolerance_px:
            return False
    return True
