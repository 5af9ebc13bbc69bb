"""Made pictures, and a grid to lay them on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.crs import CRS

UTM = CRS.from_epsg(32632)


def picture(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """A smooth coloured texture `(3, height, width)`, 20..220."""
    generator = np.random.default_rng(seed)
    coarse = torch.from_numpy(generator.uniform(20, 220, (1, 3, height // 8 + 2, width // 8 + 2)))
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")
    return fine[0].clamp(20, 220).numpy().astype(np.uint8)
