"""Small rasters written for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS

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
