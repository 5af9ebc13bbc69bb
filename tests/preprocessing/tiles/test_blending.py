from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.rasters.window import Window
from preprocessing.tiles.blending import Blend, tile_weight
from preprocessing.tiles.tiling import plan_tiles

SIZES = st.integers(8, 70)


@settings(max_examples=60)
@given(height=SIZES, width=SIZES, size=st.integers(4, 8), data=st.data())
def test_identity_in_identity_out(height: int, width: int, size: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, size))
    overlap = data.draw(st.integers(0, size))
    image = np.random.default_rng(height * width).normal(size=(2, height, width))
    image = image.astype(np.float32)
    blend = Blend(2, height, width)
    tiles = plan_tiles(height, width, size=size, stride=stride)
    for index in np.random.default_rng(size).permutation(len(tiles)):
        rows, cols = tiles[index].slices
        blend.add(tiles[index], image[:, rows, cols], tile_weight(size, overlap))
    np.testing.assert_allclose(blend.image(), image, atol=1e-6)


@settings(max_examples=60)
@given(height=SIZES, width=SIZES, size=st.integers(4, 8), data=st.data())
def test_tiles_cover_every_pixel_and_stay_inside(
    height: int, width: int, size: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, size))
    count = np.zeros((height, width), dtype=int)
    tiles = plan_tiles(height, width, size=size, stride=stride)
    for tile in tiles:
        assert tile.row >= 0
        assert tile.col >= 0
        assert tile.row + size <= height
        assert tile.col + size <= width
        count[tile.slices] += 1
    assert count.min() >= 1
    assert len(set(tiles)) == len(tiles)
    if stride == size and height % size == 0 and width % size == 0:
        assert count.max() == 1


def test_plan_refuses_gaps_and_small_images() -> None:
    with pytest.raises(ValueError, match="stride"):
        plan_tiles(64, 64, size=32, stride=33)
    with pytest.raises(ValueError, match="at least 32"):
        plan_tiles(31, 64, size=32, stride=32)


def test_blend_refuses_uncovered_pixels() -> None:
    blend = Blend(1, 8, 8)
    blend.add(Window(0, 0, 8, 4), np.ones((1, 8, 4), np.float32), np.ones((8, 4), np.float32))
    with pytest.raises(ValueError, match="32 pixels have none"):
        blend.image()


def test_many_overlaps_do_not_overflow() -> None:
    blend = Blend(1, 4, 4)
    for _ in range(300):
        blend.add(
            Window(0, 0, 4, 4), np.full((1, 4, 4), 2.0, np.float32), np.ones((4, 4), np.float32)
        )
    np.testing.assert_allclose(blend.image(), 2.0)


def test_ramps_of_neighbours_sum_to_one() -> None:
    weight = np.sqrt(np.diagonal(tile_weight(32, 16)))
    np.testing.assert_allclose(weight[16:] + weight[:16], 1.0, atol=1e-6)
