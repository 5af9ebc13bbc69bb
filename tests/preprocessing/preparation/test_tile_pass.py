"""Tiles as they are cut: filled where a date is missing, in 256 levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prepare_cases import dated

from preprocessing.preparation.tile_pass import TileBatch, cut_tiles
from preprocessing.radiometry.normalization import Normalization, fit_normalization
from preprocessing.rasters.image_source import HeldImage
from preprocessing.rasters.raster import Raster
from preprocessing.tiles.tiling import plan_tiles


def cut(first: Raster, second: Raster, normalization: Normalization) -> TileBatch:
    height, width = first.valid.shape
    windows = plan_tiles(height, width, size=128, stride=128)
    batches = list(
        cut_tiles(HeldImage(first), HeldImage(second), normalization, windows, difference=0.1)
    )
    assert len(batches) == 1
    return batches[0]


@pytest.mark.parametrize("method", ["histogram", "none"])
def test_tiles_hold_the_colours_in_levels(method: str) -> None:
    first, second = dated(2016), dated(2018)
    normalization = fit_normalization(HeldImage(first), HeldImage(second), method)
    batch = cut(first, second, normalization)
    assert (normalization.curves is not None) == (method == "histogram")
    matched = (
        second.data if normalization.curves is None else normalization.curves.apply(second.data)
    )
    for tiles, unit in ((batch.past, first.data), (batch.future, matched)):
        expected = np.rint(np.clip(unit[:, :128, :128], 0, 1) * 255)
        # Products just beside a half are rounded either way.
        assert np.abs(tiles[0] - expected).max() <= 1
        assert (tiles[0] != expected).mean() < 0.001


def test_nothing_changes_where_a_date_is_missing() -> None:
    first, second = dated(2016), dated(2018)
    normalization = fit_normalization(HeldImage(first), HeldImage(second), "histogram")
    whole = cut(first, second, normalization)
    seen = [np.ones((256, 256), bool) for _ in range(2)]
    seen[0][:50], seen[1][:, :40] = False, False  # Some pixels are missing at both dates.
    gappy = [
        replace(raster, data=np.where(valid, raster.data, level).astype(np.float32), valid=valid)
        for raster, valid, level in zip((first, second), seen, (0.0, 1.0), strict=True)
    ]
    batch = cut(gappy[0], gappy[1], normalization)
    np.testing.assert_array_equal(batch.valid[0], (seen[0] & seen[1])[:128, :128])
    missing = np.broadcast_to(~batch.valid[:, None], batch.past.shape)
    np.testing.assert_array_equal(batch.past[missing], batch.future[missing])
    for tiles, before, valid in zip(
        (batch.past, batch.future), (whole.past, whole.future), seen, strict=True
    ):
        kept = np.broadcast_to(valid[:128, :128], (3, 128, 128))
        np.testing.assert_array_equal(tiles[0][kept], before[0][kept])
