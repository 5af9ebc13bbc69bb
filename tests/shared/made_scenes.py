"""Made landscapes for tests: drawn at four times the resolution, so shifts are known exactly."""

from __future__ import annotations

import datetime as dt
import functools

import cv2
import numpy as np
from affine import Affine
from rasterio.crs import CRS

from preprocessing.rasters.grid import Grid
from preprocessing.rasters.raster import Raster

FINE = 4
UTM = CRS.from_epsg(32613)


@functools.cache
def made_world(seed: int, *, size_px: int = 192) -> np.ndarray:
    """Rectangles and roads with texture, `(4 size, 4 size, 3)` float32, 0..1."""
    rng = np.random.default_rng(seed)
    side = size_px * FINE
    world = np.full((side, side, 3), 0.4, np.float32)
    for _ in range(side * side // 4000):
        row, col = rng.integers(0, side, 2)
        height, width = rng.integers(12, 120, 2)
        world[row : row + height, col : col + width] = rng.uniform(0.1, 0.9, 3)
    for _ in range(6):
        ends = [tuple(int(v) for v in rng.integers(0, side, 2)) for _ in range(2)]
        cv2.line(world, *ends, (0.75, 0.72, 0.7), 10)
    texture = cv2.GaussianBlur(rng.normal(0, 1, world.shape).astype(np.float32), (0, 0), 3.0)
    made = np.clip(world + 0.2 * texture, 0, 1)
    made.flags.writeable = False
    return made


def view(
    world: np.ndarray,
    *,
    row_q: int,
    col_q: int,
    height: int = 128,
    width: int = 128,
    date: dt.date | None = None,
    name: str = "scene.tif",
    crs: CRS | None = UTM,
) -> Raster:
    """The world's pixels from `row_q`, `col_q` quarter pixels on, averaged like a sensor does."""
    part = world[row_q : row_q + height * FINE, col_q : col_q + width * FINE]
    data = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    grid = Grid(height, width, Affine(10, 0, 500_000, 0, -10, 5_000_000), crs)
    return Raster(
        np.ascontiguousarray(data), grid, np.ones((height, width), bool), date=date, name=name
    )
