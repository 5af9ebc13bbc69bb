"""Statistics of GDAL, counted while a raster is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from preprocessing.rasters.grid import Grid
from preprocessing.rasters.io import blocks, write_cog


@pytest.mark.parametrize("nodata", [float("nan"), -1.0])
def test_they_are_those_of_the_valid_values(nodata: float, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(100, 20, (2, 300, 700)).astype(np.float32)
    values[:, :90] = nodata
    grid = Grid(300, 700, Affine.identity(), None)
    parts = [(window, values[(slice(None), *window.slices)], None) for window in blocks(grid)]
    path = write_cog(tmp_path / "a.tif", grid, parts, count=2, dtype="float32", nodata=nodata)
    with rasterio.open(path) as dataset:
        for band, expected in enumerate(values[:, 90:].astype(np.float64), start=1):
            tags = dataset.tags(band)
            for name in ("min", "max", "mean", "std"):
                key = {"min": "MINIMUM", "max": "MAXIMUM", "mean": "MEAN", "std": "STDDEV"}[name]
                found = float(tags[f"STATISTICS_{key}"])
                assert found == pytest.approx(getattr(expected, name)(), rel=1e-6)
