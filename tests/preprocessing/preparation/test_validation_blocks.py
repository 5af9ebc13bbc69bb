from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_cases import gap_px
from rasterio.crs import CRS
from rasterio.warp import transform

from preprocessing.preparation.splits import held_corner
from preprocessing.preparation.validation_blocks import (
    GUARD_PX,
    GroundSplit,
    ValidationBlock,
    ValidationBlockIndex,
    degrees,
)
from preprocessing.rasters.grid import Grid, Window, whole
from preprocessing.tiles.tiling import plan_tiles

UTM = CRS.from_epsg(32613)
GRID = Grid(1500, 1400, Affine(10, 0, 500_000, 0, -10, 5_000_000), UTM)
BOX = Window(200, 300, 400, 500)
SHIFTS = st.integers(-900, 900)


@settings(max_examples=50)
@given(row=SHIFTS, col=SHIFTS)
def test_gaps_between_grids_of_one_lattice_are_those_of_windows(row: int, col: int) -> None:
    held = ValidationBlock(GRID, BOX)
    grid = GRID.crop(Window(row, col, 700, 600))
    windows = plan_tiles(700, 600, size=128, stride=128)
    on_held_grid = [replace(w, row=w.row + row, col=w.col + col) for w in windows]
    gaps = [gap_px(w, BOX) for w in on_held_grid]
    np.testing.assert_allclose(held.gaps_px(grid, windows), gaps, atol=1e-6)
    inside = [
        w.row >= BOX.row
        and w.col >= BOX.col
        and w.row + 128 <= BOX.row + BOX.height
        and w.col + 128 <= BOX.col + BOX.width
        for w in on_held_grid
    ]
    assert held.holds(grid, windows).tolist() == inside


@settings(max_examples=30)
@given(
    turn=st.floats(-180, 180),
    scale=st.floats(0.4, 2.5),
    row=SHIFTS,
    col=SHIFTS,
)
def test_train_tiles_of_any_grid_keep_their_distance(
    turn: float, scale: float, row: int, col: int
) -> None:
    move = Affine.translation(col, row) @ Affine.rotation(turn) @ Affine.scale(scale)
    grid = Grid(700, 650, GRID.transform @ move, UTM)
    windows = plan_tiles(700, 650, size=128, stride=128)
    splits = GroundSplit(own=ValidationBlock(GRID, BOX)).apply(grid, windows)
    # A net of points over the validation block, seen on the tiles' own grid.
    rows, cols = np.meshgrid(
        np.linspace(BOX.row, BOX.row + BOX.height, 60),
        np.linspace(BOX.col, BOX.col + BOX.width, 60),
        indexing="ij",
    )
    there = [
        ~grid.transform @ (GRID.transform @ (x, y))
        for x, y in zip(cols.flat, rows.flat, strict=True)
    ]
    xs, ys = np.array(there).T
    for window, split in zip(windows, splits, strict=True):
        down = np.maximum(window.row - ys, ys - window.row - 128)
        across = np.maximum(window.col - xs, xs - window.col - 128)
        distance = np.hypot(np.maximum(down, 0), np.maximum(across, 0)).min()
        if split == "train":
            # A turned tile's frame is larger than the tile, so the distance only grows.
            assert distance >= GUARD_PX - 1
        elif split == "val":
            assert distance == 0


def test_places_next_to_each_other_are_guarded() -> None:
    windows = plan_tiles(256, 256, size=128, stride=128)
    west = Grid(256, 256, Affine(1, 0, 500_000, 0, -1, 5_000_000), UTM)
    east = west.crop(Window(0, 300, 256, 256))
    far = west.crop(Window(0, 5000, 256, 256))
    near = ValidationBlockIndex([east, far, east, replace(east, crs=None)]).near(west)
    assert near == (ValidationBlock(east, whole(east)),)
    assert GroundSplit("train", others=near).apply(west, windows) == ["train", None] * 2
    assert GroundSplit("val", others=near).apply(west, windows) == ["val"] * 4
    assert ValidationBlockIndex([east]).near(replace(west, crs=None)) == ()
    assert ValidationBlockIndex([]).near(west) == ()


def test_neighbours_in_another_coordinate_system_are_guarded() -> None:
    west = Grid(256, 256, Affine(1, 0, 500_000, 0, -1, 5_000_000), UTM)
    lon, lat = transform(UTM, CRS.from_epsg(4326), [500_300], [5_000_000])
    step = 1 / 111_320
    wide = step / np.cos(np.radians(lat[0]))
    east = Grid(256, 256, Affine(wide, 0, lon[0], 0, -step, lat[0]), CRS.from_epsg(4326))
    near = ValidationBlockIndex([east]).near(west)
    assert len(near) == 1
    windows = plan_tiles(256, 256, size=128, stride=128)
    assert GroundSplit("train", others=near).apply(west, windows) == ["train", None] * 2


def test_neighbours_across_the_antimeridian() -> None:
    crs = CRS.from_epsg(4326)
    east = Grid(256, 256, Affine(1e-4, 0, 179.97, 0, -1e-4, 10), crs)
    west = Grid(256, 256, Affine(1e-4, 0, -179.995, 0, -1e-4, 10), crs)
    assert [ground.grid for ground in ValidationBlockIndex([west]).near(east)] == [west]
    assert (
        GroundSplit("train", others=ValidationBlockIndex([west]).near(east)).apply(
            east, plan_tiles(256, 256, size=128, stride=128)
        )
        == ["train", None] * 2
    )


@given(
    height=st.integers(128, 3000),
    width=st.integers(128, 3000),
    share=st.floats(0.05, 0.8),
    seed=st.integers(0, 20),
)
def test_corner_has_its_share(height: int, width: int, share: float, seed: int) -> None:
    corner = held_corner(height, width, val_share=share, seed=seed)
    assert corner.row in (0, height - corner.height)
    assert corner.col in (0, width - corner.width)
    assert min(corner.height, corner.width) >= 128
    if min(height, width) * share**0.5 > 129:
        found = corner.height * corner.width / (height * width)
        assert found == pytest.approx(share, rel=0.02)


def test_degrees() -> None:
    assert degrees(replace(GRID, crs=None)) is None
    box = degrees(GRID)
    assert box is not None
    assert -105.001 < box.west < box.east < -104
    across = Grid(10, 10, Affine(1e-3, 0, 179.995, 0, -1e-3, 0), CRS.from_epsg(4326))
    box = degrees(across)
    assert box is not None
    assert box.west < box.east < 181
