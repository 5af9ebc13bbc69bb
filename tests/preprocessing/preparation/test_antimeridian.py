"""Pairs across 180 degrees of longitude, from files to tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from prepare_cases import dated, write
from rasterio.crs import CRS

from preprocessing.pairs.store import PairStore
from preprocessing.preparation.run import PrepareConfig, prepare_pair

STEP = 1e-4
SIDE = 256


def in_degrees(path: Path, year: int, *, west: float, col_q: int = 40) -> Path:
    """The made world in degrees just north of the equator, from a longitude on."""
    raster = dated(year, size=SIDE, col_q=col_q)
    transform = Affine(STEP, 0, west, 0, -STEP, 0.03)
    grid = replace(raster.grid, transform=transform, crs=CRS.from_epsg(4326))
    return write(path / f"atoll_{year}.tif", replace(raster, grid=grid))


@pytest.mark.parametrize("turn", [-360, 360])
@pytest.mark.parametrize("quarters", [0, 2], ids=["same pixels", "half a pixel aside"])
def test_both_ways_to_count_longitudes_meet(turn: int, quarters: int, tmp_path: Path) -> None:
    west = (180 if turn < 0 else -180) - SIDE / 2 * STEP
    earlier = in_degrees(tmp_path, 2016, west=west)
    aside = west + turn + quarters / 4 * STEP
    later = in_degrees(tmp_path, 2018, west=aside, col_q=40 + quarters)
    report = prepare_pair(earlier, later, tmp_path / "p.zarr", PrepareConfig(max_residual_px=0.2))
    pair = report.pairs[0]
    assert (pair.height, pair.width) == (SIDE, SIDE)
    assert abs(pair.dy_px) < 0.1
    assert abs(pair.dx_px) < 0.1
    stored = PairStore(tmp_path / "p.zarr").read()
    assert len(stored) == 4
    assert stored.valid.mean() > 0.98
    seen = np.repeat(stored.valid[:, None], 3, axis=1)
    apart = np.abs(stored.future.astype(int) - stored.past)[seen]
    # Of unlike ground the difference is above 30.
    assert apart.mean() < 8
